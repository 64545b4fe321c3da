"""Whether what a study file writes in braces is filled in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from unskew.errors import UserError
from unskew.study.outline import Outline
from unskew.study.parts import Comparison, Interaction, Ranking

FIELD = re.compile(r"\{([^\W\d][\w.-]*)\}")
"""A field in braces. Other braces stay as they are: "classes {0, 1}"."""

Templates = tuple[str, Collection[str], Iterable[str]]
"""Where some templates stand, the fields that are filled into them, and the templates."""


def check_placeholders(study: Outline) -> None:
    """A slip in braces would be an arm's name and stand in the report as it is.

    Raises
    ------
    UserError: a field in braces is not in the grid beside it.
    """
    for where, fields, templates in _templates(study):
        for template in templates:
            for field in FIELD.findall(template):
                if field not in fields:
                    raise UserError(
                        f"{where}: {{{field}}} is not in the grid, so nothing fills it in: mend "
                        "its spelling, or give it a list in the grid"
                    )


def _templates(study: Outline) -> Iterator[Templates]:
    """All that a grid's values are filled into."""
    for arm in study.arms:
        yield f"arm {arm.name!r}", arm.grid, [arm.name, *arm.label.values()]
    for choice in study.selections:
        names = [choice.name, *choice.arms, choice.baseline]
        yield f"selection {choice.name!r}", choice.grid, [*names, *choice.title.values()]
    for spread in study.spreads:
        yield "a spread", spread.grid, [*spread.arms, *spread.title.values()]
    for comparison in study.comparisons:
        yield "a comparison", comparison.grid, _of_comparison(comparison)
    for interaction in study.interactions:
        yield "an interaction", interaction.grid, _of_interaction(interaction)
    for ranking in study.rankings:
        yield "a ranking", ranking.grid, _of_ranking(ranking)
        yield "the label of a ranking", ("treatment",), ranking.label.values()


def _of_comparison(family: Comparison) -> Iterator[str]:
    yield from (*chain(*family.pairs), *family.candidates, *family.title.values())
    if family.baseline is not None:
        yield family.baseline


def _of_interaction(family: Interaction) -> Iterator[str]:
    yield from (*family.title.values(), *family.label.values())
    for gain in (family.first, family.second):
        yield from (*gain.pair, *gain.label.values())


def _of_ranking(ranking: Ranking) -> Iterator[str]:
    yield from ranking.title.values()
    for block in ranking.blocks:
        yield from (block.arms, *block.label.values())
