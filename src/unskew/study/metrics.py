"""Whether the figures that a study file names exist, and serve what they are named for."""

from __future__ import annotations

from collections.abc import Iterator

from unskew.errors import UnknownNameError, UserError
from unskew.evaluation.named import EVALUATED, LOWER_IS_BETTER
from unskew.study.outline import Outline
from unskew.study.parts import Comparison, Confirmation, Interaction, Ranking, Selection, Spread
from unskew.training.recipe import Recipe

OF_A_RUN = frozenset({"final_train_loss", "train_seconds", "images_per_second"})
"""Figures that a run has beside those of its evaluation; `LOWER_IS_BETTER` is of both."""


def check_figures(study: Outline) -> None:
    """Raise a UserError for the first metric that is none, or that nothing can be chosen by, and
    for the first field of a choice that no recipe has.
    """
    known = sorted(EVALUATED | OF_A_RUN)
    for metric in _metrics(study):
        if metric not in known:
            raise UnknownNameError("metric", metric, known)
    choosers: list[Selection | Confirmation] = [*study.selections, *study.confirmations]
    for part in choosers:
        if part.metric not in EVALUATED or part.metric in LOWER_IS_BETTER:
            raise UserError(
                f"{part.name!r} chooses the largest {part.metric}, and that is not the best: "
                "name an accuracy or macro_f1"
            )
    for selection in study.selections:
        if selection.field not in Recipe.model_fields:
            raise UnknownNameError("setting", selection.field, Recipe.model_fields)


def _metrics(study: Outline) -> Iterator[str]:
    parts: list[Selection | Comparison | Interaction | Ranking | Spread | Confirmation] = [
        *study.selections, *study.comparisons, *study.interactions, *study.rankings,
        *study.spreads, *study.confirmations,
    ]  # fmt: skip
    yield from (part.metric for part in parts)
    if study.published:
        yield from (figure.metric for figure in study.published.figures)
        yield from (claim.metric for claim in study.published.claims if claim.metric)
