"""Whether what a study compares, ranks and divides can be taken as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TypeVar

from unskew.errors import UserError
from unskew.study.outline import Outline
from unskew.study.parts import Arm, Comparison, Interaction, Ranking

Item = TypeVar("Item")


def check_families(study: Outline, arms: dict[str, Arm]) -> None:
    """Comparisons, interactions, rankings and spreads.

    Raises
    ------
    UserError: the first fault.
    """
    families: list[Comparison | Interaction | Ranking]
    families = [*study.comparisons, *study.interactions, *study.rankings]
    for family in families:
        _check_title(family)
    _check_comparisons(study)
    for interactions in study.expanded_interactions():
        _check_labels(interactions)
        _check_gains(interactions)
    _check_rankings(study, arms)
    _check_spreads(study, arms)


def _check_title(family: Comparison | Interaction | Ranking) -> None:
    """A family has one title, whatever its grid."""
    for title in family.title.values():
        for field in family.grid:
            if "{" + field + "}" in title:
                raise UserError(
                    f"the title {title!r} names a field of its grid, and all combinations are "
                    f"one family with one title: leave {{{field}}} out of it"
                )


def _check_comparisons(study: Outline) -> None:
    """Whatever is in a family counts in Holm's correction, so nothing may be in it for nothing."""
    for comparison in study.expanded_comparisons():
        for candidate, baseline in comparison.pairs:
            if candidate == baseline:
                raise UserError(
                    f"a comparison compares {candidate!r} with itself: name another candidate"
                )
        twice = repeated(comparison.pairs)
        if twice is not None:
            raise UserError(
                f"a comparison compares {twice[0]!r} with {twice[1]!r} twice: tell its pairs "
                "apart by its grid, or leave one out"
            )


def _check_labels(family: list[Interaction]) -> None:
    """The interactions of a family are told apart by their labels, and by nothing else."""
    for language in family[0].label:
        twice = repeated([part.label[language] for part in family])
        if twice is not None:
            raise UserError(f"two interactions are called {twice!r}: tell them apart by their grid")
        for gains in ([part.first for part in family], [part.second for part in family]):
            if len({gain.label.get(language) for gain in gains}) > 1:
                raise UserError(
                    "the circumstances of an interaction are those of its whole grid: leave "
                    f"its fields out of {gains[0].label[language]!r}"
                )


def _check_gains(family: list[Interaction]) -> None:
    """Nothing is in a family for nothing, as in a comparison's."""
    for part in family:
        gains = (part.first.pair, part.second.pair)
        for candidate, baseline in gains:
            if candidate == baseline:
                raise UserError(
                    f"an interaction compares {candidate!r} with itself: name another candidate"
                )
        if gains[0] == gains[1]:
            raise UserError(
                f"an interaction holds the gain of {gains[0][0]!r} over {gains[0][1]!r} against "
                "itself: name another pair"
            )
    twice = repeated([(part.first.pair, part.second.pair) for part in family])
    if twice is not None:
        raise UserError(
            f"an interaction of {twice[0][0]!r} and {twice[1][0]!r} stands in its family twice: "
            "tell its pairs apart by its grid, or leave one out"
        )


def _check_rankings(study: Outline, arms: dict[str, Arm]) -> None:
    for ranking in study.expanded_rankings():
        blocks = [block.arms for block in ranking.blocks]
        patterns = ", ".join(blocks)
        if len(blocks) < 2:
            raise UserError(f"a ranking takes two blocks or more, and has {patterns}")
        # A block counted twice is evidence that nobody has measured.
        twice = repeated(blocks)
        if twice is not None:
            raise UserError(
                f"a ranking has the block {twice!r} twice: tell its blocks apart by its grid, or "
                "leave one out"
            )
        for block in blocks:
            if block.count("*") != 1:
                raise UserError(
                    f"the block {block!r} of a ranking has to have one *, which stands for the "
                    "treatment: see that its grid fills in none"
                )
        treatments = ranking.treatments(list(arms))
        if len(treatments) < 2:
            raise UserError(f"a ranking's blocks share fewer than two treatments: {patterns}")
        recipes = [
            [arms[name].recipe for name in block]
            for block in zip(*treatments.values(), strict=True)
        ]
        for (one, ours), (other, theirs) in combinations(zip(blocks, recipes, strict=True), 2):
            # Two treatments that are told apart by the same runs twice are so by half the evidence.
            if sum(a == b for a, b in zip(ours, theirs, strict=True)) >= 2:
                raise UserError(
                    f"a ranking's blocks {one!r} and {other!r} have the same runs of two "
                    "treatments or more under two names: leave one out"
                )


def _check_spreads(study: Outline, arms: dict[str, Arm]) -> None:
    if study.spreads and study.subset_per_seed:
        raise UserError(
            "a spread tells what subsets move apart from what seeds move: drop subset_per_seed"
        )
    for spread in study.expanded_spreads():
        if len(spread.arms) < 2:
            raise UserError(f"a spread takes two arms or more, and has {len(spread.arms)}")
        recipes = [arms[name].recipe.model_dump(mode="json") for name in spread.arms]
        named = ", ".join(spread.arms)
        if repeated(recipes) is not None:
            raise UserError(
                f"a spread has the same runs under two names among {named}: leave one out"
            )
        differing = [f for f in recipes[0] if any(r[f] != recipes[0][f] for r in recipes)]
        if len(differing) > 1:
            raise UserError(
                "a spread tells what one thing moves that is left to chance, and its arms differ "
                f"in {' and '.join(differing)}: {named}"
            )


def repeated(items: Sequence[Item]) -> Item | None:
    """The first of which there are two; None if all differ."""
    return next((item for n, item in enumerate(items) if item in items[:n]), None)
