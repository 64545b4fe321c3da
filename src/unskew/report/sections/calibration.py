"""How far probabilities can be believed, and how well they rank."""

from __future__ import annotations

from unskew.evaluation.calibration import BINS
from unskew.report.context import Context, seed_counts
from unskew.report.document import Section, Table
from unskew.report.numbers import mean_and_half, over_seeds

FIGURES = ("nll", "brier", "ece", "classwise_ece", "mean_auroc")


def calibration_section(context: Context) -> Section:
    """One table of all arms that have a finished run."""
    words, finished = context.words, context.finished()
    rows = tuple(
        (label, *(mean_and_half(over_seeds(arm.metric(figure))) for figure in FIGURES))
        for label, arm in finished.items()
    )
    if not rows:
        return Section(words("section.calibration"), ())
    header = (words("results.arm"), *(words.metric(figure) for figure in FIGURES))
    caption = words.over("calibration.caption", seed_counts(finished), bins=BINS)
    table = Table(header, rows, caption)
    return Section(words("section.calibration"), (table,), "calibration")
