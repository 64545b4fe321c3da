"""Whether a study file can be run and reported as it stands, said before anything is run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from math import prod

from unskew.errors import UserError
from unskew.study.claim_checks import check_claims
from unskew.study.family_checks import check_families, repeated
from unskew.study.metrics import check_figures
from unskew.study.outline import Outline
from unskew.study.parts import FIRST_FRESH_SEED, Arm, Grid
from unskew.study.placeholder_checks import check_placeholders
from unskew.training.recipe import Recipe

MOST_RUNS = 100_000
"""Days of training on any machine, and what a few minutes of planning can list."""


def check_study(study: Outline) -> None:
    """Whether every recipe is sound and every name points to an arm.

    Raises
    ------
    UserError: the first fault, by name.
    """
    check_size(study)
    _check_grids(study)
    check_placeholders(study)
    arms = study.expanded_arms()
    check_figures(study)
    _check_selections(study, arms)
    check_families(study, arms)
    _check_confirmations(study, arms)
    check_claims(study)
    for where, name in _named_arms(study):
        if name not in arms:
            raise UserError(f"{where} names {name!r}, but the arms are {', '.join(arms)}")
    _check_judged_alike(study, arms)


def _grids(study: Outline) -> Iterator[tuple[str, Grid]]:
    """Every grid of a study file, and where it stands."""
    yield from ((f"arm {arm.name!r}", arm.grid) for arm in study.arms)
    yield from ((f"selection {choice.name!r}", choice.grid) for choice in study.selections)
    yield from (("a comparison", family.grid) for family in study.comparisons)
    yield from (("an interaction", family.grid) for family in study.interactions)
    yield from (("a ranking", family.grid) for family in study.rankings)
    yield from (("a spread", family.grid) for family in study.spreads)


def _check_grids(study: Outline) -> None:
    """An empty list would leave out what the file names, without a word."""
    for where, grid in _grids(study):
        for field, values in grid.items():
            if not values:
                raise UserError(
                    f"{where} has a grid without a value of {field}: no list of a grid may be empty"
                )


def check_size(study: Outline) -> None:
    """What cannot be meant would be listed one by one until the memory is full.

    Raises
    ------
    UserError: there are too many runs, or a grid has too many combinations.
    """
    for where, grid in _grids(study):
        combined = prod(map(len, grid.values()))
        if combined > MOST_RUNS:
            raise UserError(
                f"{where} has a grid of {combined:,} combinations, and {MOST_RUNS:,} at most "
                "make sense: shorten its lists"
            )
    arms = sum(prod(map(len, arm.grid.values())) for arm in study.arms)
    seeds = study.seeds + max((stage.seeds for stage in study.confirmations), default=0)
    if arms * seeds > MOST_RUNS:
        raise UserError(
            f"{arms:,} arms of {seeds:,} seeds are {arms * seeds:,} runs, and a study has "
            f"{MOST_RUNS:,} at most: ask for fewer seeds, or shorten the lists of a grid"
        )


def _check_selections(study: Outline, arms: dict[str, Arm]) -> None:
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
        if selection.baseline in arms and selection.baseline not in selection.arms:
            raise UserError(
                f"selection {selection.name!r} chooses among {', '.join(selection.arms)}: its "
                f"baseline {selection.baseline!r} has to be one of them"
            )
        for one, other in combinations(selection.arms, 2):
            if _shown(arms[one].recipe) != _shown(arms[other].recipe):
                raise UserError(
                    f"selection {selection.name!r}: its arms {one!r} and {other!r} would hold out "
                    "other images, and what is chosen by them could not be compared: give both the "
                    "same skew and subset_seed, or leave one out"
                )
            values = [getattr(arms[name].recipe, selection.field) for name in (one, other)]
            if values[0] == values[1]:
                raise UserError(
                    f"selection {selection.name!r} chooses a {selection.field}, in which its arms "
                    f"{one!r} and {other!r} do not differ: leave one out"
                )


def _shown(recipe: Recipe) -> tuple[object, int]:
    """What says which training images there are to hold some of out."""
    return recipe.skew, recipe.subset_seed


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
    twice = repeated([stage.name for stage in study.confirmations])
    if twice is not None:
        raise UserError(f"two second stages are called {twice!r}: give each a name of its own")
    for stage in study.expanded_confirmations():
        if len(stage.among) < stage.best:
            raise UserError(
                f"second stage {stage.name!r} takes the best {stage.best} of "
                f"{len(stage.among)} arms: name more in among, or lower best"
            )


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
