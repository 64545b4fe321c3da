"""Whether a study file can be run and reported as it stands, said before anything is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeVar

from unskew.errors import UserError
from unskew.study.metrics import check_figures
from unskew.study.outline import Outline, matches
from unskew.study.parts import FIRST_FRESH_SEED, Arm, Claim, Comparison, Grid, Interaction, Ranking
from unskew.training.recipe import Recipe

Item = TypeVar("Item")


def check_study(study: Outline) -> None:
    """Whether every recipe is sound and every name points to an arm.

    Raises
    ------
    UserError: the first fault, by name.
    """
    _check_grids(study)
    arms = study.expanded_arms()
    check_figures(study)
    families: list[Comparison | Interaction | Ranking]
    families = [*study.comparisons, *study.interactions, *study.rankings]
    for family in families:
        _check_title(family)
    _check_selections(study)
    _check_comparisons(study)
    for interactions in study.expanded_interactions():
        _check_labels(interactions)
    _check_rankings(study, list(arms))
    _check_spreads(study)
    _check_confirmations(study, arms)
    _check_claims(study)
    for where, name in _named_arms(study):
        if name not in arms:
            raise UserError(f"{where} names {name!r}, but the arms are {', '.join(arms)}")
    _check_judged_alike(study, arms)


def _check_grids(study: Outline) -> None:
    """An empty list would leave out what the file names, without a word."""
    grids: list[tuple[str, Grid]] = [(f"arm {arm.name!r}", arm.grid) for arm in study.arms]
    grids += [(f"selection {choice.name!r}", choice.grid) for choice in study.selections]
    grids += [("a comparison", family.grid) for family in study.comparisons]
    grids += [("an interaction", family.grid) for family in study.interactions]
    grids += [("a ranking", family.grid) for family in study.rankings]
    grids += [("a spread", family.grid) for family in study.spreads]
    for where, grid in grids:
        for field, values in grid.items():
            if not values:
                raise UserError(
                    f"{where} has a grid without a value of {field}: no list of a grid may be empty"
                )


def _check_title(family: Comparison | Interaction | Ranking) -> None:
    """A family has one title, whatever its grid."""
    for title in family.title.values():
        for field in family.grid:
            if "{" + field + "}" in title:
                raise UserError(
                    f"the title {title!r} names a field of its grid, and all combinations are "
                    f"one family with one title: leave {{{field}}} out of it"
                )


def _check_selections(study: Outline) -> None:
    held_out: dict[str, float] = {}
    for selection in study.expanded_selections():
        if not selection.arms:
            raise UserError(f"selection {selection.name!r} has no arms: name some to choose from")
        for name in selection.arms:
            # An arm has one set of runs for its choices.
            if held_out.setdefault(name, selection.validation) != selection.validation:
                raise UserError(
                    f"arm {name!r} is in selections that hold out {held_out[name]:g} and "
                    f"{selection.validation:g}: give both the same validation"
                )


def _check_comparisons(study: Outline) -> None:
    """Whatever is in a family counts in Holm's correction, so nothing may be in it for nothing."""
    for comparison in study.expanded_comparisons():
        for candidate, baseline in comparison.pairs:
            if candidate == baseline:
                raise UserError(
                    f"a comparison compares {candidate!r} with itself: name another candidate"
                )
        twice = _repeated(comparison.pairs)
        if twice is not None:
            raise UserError(
                f"a comparison compares {twice[0]!r} with {twice[1]!r} twice: tell its pairs "
                "apart by its grid, or leave one out"
            )


def _check_labels(family: list[Interaction]) -> None:
    """The interactions of a family are told apart by their labels, and by nothing else."""
    for language in family[0].label:
        twice = _repeated([part.label[language] for part in family])
        if twice is not None:
            raise UserError(f"two interactions are called {twice!r}: tell them apart by their grid")
        for gains in ([part.first for part in family], [part.second for part in family]):
            if len({gain.label.get(language) for gain in gains}) > 1:
                raise UserError(
                    "the circumstances of an interaction are those of its whole grid: leave "
                    f"its fields out of {gains[0].label[language]!r}"
                )


def _check_rankings(study: Outline, arms: list[str]) -> None:
    for ranking in study.expanded_rankings():
        blocks = [block.arms for block in ranking.blocks]
        patterns = ", ".join(blocks)
        if len(blocks) < 2:
            raise UserError(f"a ranking takes two blocks or more, and has {patterns}")
        # A block counted twice is evidence that nobody has measured.
        twice = _repeated(blocks)
        if twice is not None:
            raise UserError(
                f"a ranking has the block {twice!r} twice: tell its blocks apart by its grid, or "
                "leave one out"
            )
        if len(ranking.treatments(arms)) < 2:
            raise UserError(f"a ranking's blocks share fewer than two treatments: {patterns}")


def _check_spreads(study: Outline) -> None:
    if study.spreads and study.subset_per_seed:
        raise UserError(
            "a spread tells what subsets move apart from what seeds move: drop subset_per_seed"
        )
    for spread in study.expanded_spreads():
        if len(spread.arms) < 2:
            raise UserError(f"a spread takes two arms or more, and has {len(spread.arms)}")


def _check_confirmations(study: Outline, arms: dict[str, Arm]) -> None:
    skewed_test = any(arm.recipe.test_skew is not None for arm in arms.values())
    if study.confirmations and study.subset_per_seed and skewed_test:
        raise UserError(
            "each seed would draw its own test images, and some that choose an arm would judge "
            "it in the second stage: drop subset_per_seed, test_skew or the second stage"
        )
    if study.confirmations and study.seeds > FIRST_FRESH_SEED:
        raise UserError(
            f"with {study.seeds:,} seeds the second stage's would not be fresh: ask for "
            f"{FIRST_FRESH_SEED:,} at most, or leave the second stage out, with --fresh-seeds 0"
        )
    # What a first stage has decided is kept by the second stage's name.
    twice = _repeated([stage.name for stage in study.confirmations])
    if twice is not None:
        raise UserError(f"two second stages are called {twice!r}: give each a name of its own")
    for stage in study.expanded_confirmations():
        if len(stage.among) < stage.best:
            raise UserError(
                f"second stage {stage.name!r} takes the best {stage.best} of "
                f"{len(stage.among)} arms: name more in among, or lower best"
            )


def _check_claims(study: Outline) -> None:
    """A claim that could be neither right nor wrong is a slip of the file's."""
    choices = [selection.name for selection in study.expanded_selections()]
    for claim in study.published.claims if study.published else []:
        fault = _fault(claim, choices)
        if fault is not None:
            text = next(iter(claim.text.values()), "")
            raise UserError(f"the claim {text!r} {fault}")


def _fault(claim: Claim, choices: list[str]) -> str | None:
    """Why a claim cannot be held against anything, and the mend; None if it can."""
    bounded = claim.low is not None or claim.high is not None
    if claim.selection is not None:
        if not any(matches(name, claim.selection) for name in choices):
            known = ", ".join(choices) or "none"
            return f"names the selection {claim.selection!r}, but the selections are {known}"
        if bounded and claim.value is not None:
            return "has a value and bounds, and only one of them can be held: leave out the other"
        if not bounded and claim.value is None:
            return "holds whatever is measured: give it a value, a low or a high"
        return None
    if claim.arm is None:
        return "is about nothing: name a selection or an arm"
    if claim.metric is None:
        return f"says no figure of arm {claim.arm!r}: give it a metric"
    if not bounded:
        return "holds whatever is measured: give it a low or a high"
    return None


def _named_arms(study: Outline) -> Iterator[tuple[str, str]]:
    """Every name that has to be an arm's, and where it stands."""
    for selection in study.expanded_selections():
        yield f"selection {selection.name!r}", selection.baseline
    for comparison in study.expanded_comparisons():
        yield from (("a comparison", name) for name in chain(*comparison.pairs))
    for part in chain(*study.expanded_interactions()):
        yield from (("an interaction", name) for name in (*part.first.pair, *part.second.pair))
    for stage in study.expanded_confirmations():
        where = f"second stage {stage.name!r}"
        yield from ((where, name) for name in (stage.baseline, *stage.always))
    if study.published:
        yield from (("a published figure", figure.arm) for figure in study.published.figures)
        for claim in study.published.claims:
            yield from (("a claim", name) for name in (claim.arm, claim.than) if name)


def _check_judged_alike(study: Outline, arms: dict[str, Arm]) -> None:
    """What is compared is judged by the same test images."""
    together = [list(pair) for c in study.expanded_comparisons() for pair in c.pairs]
    together += [[*s.arms, s.baseline] for s in study.expanded_selections()]
    together += [[s.baseline, *s.always, *s.among] for s in study.expanded_confirmations()]
    together += [[*p.first.pair, *p.second.pair] for f in study.expanded_interactions() for p in f]
    together += [spread.arms for spread in study.expanded_spreads()]
    claims = study.published.claims if study.published else []
    together += [[c.arm, c.than] for c in claims if c.arm and c.than]
    for ranking in study.expanded_rankings():
        for block in ranking.blocks:
            together.append([name for name in arms if block.treatment(name)])
    for names in filter(None, together):
        first = names[0]
        for name in names[1:]:
            if judged_by(arms[name].recipe) != judged_by(arms[first].recipe):
                raise UserError(
                    f"arms {first!r} and {name!r} are judged by different test images, so they "
                    "cannot be compared: give both the same test_skew, and subset_seed with one"
                )


def judged_by(recipe: Recipe) -> tuple[object, int | None]:
    """What says which test images a run is judged by; the subset's seed draws a skew of them."""
    return recipe.test_skew, recipe.subset_seed if recipe.test_skew else None


def _repeated(items: Sequence[Item]) -> Item | None:
    """The first of which there are two; None if all differ."""
    return next((item for n, item in enumerate(items) if item in items[:n]), None)
