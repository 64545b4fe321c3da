"""How far probabilities can be believed, and how well they rank."""

from __future__ import annotations

from unskew.evaluation.calibration import BINS
from unskew.report.context import Context
from unskew.report.document import Section, Table
from unskew.report.numbers import mean_and_half, over_seeds

FIGURES = ("nll", "brier", "ece", "classwise_ece", "mean_auroc")


def calibration_section(context: Context) -> Section:
    """One table of all arms that have a finished run."""
    words = context.words
    rows = tuple(
        (label, *(mean_and_half(over_seeds(arm.metric(figure))) for figure in FIGURES))
        for label, arm in context.finished().items()
    )
    if not rows:
        return Section(words("section.calibration"), ())
    header = (words("results.arm"), *(words.metric(figure) for figure in FIGURES))
    table = Table(header, rows, words("calibration.caption", bins=BINS))
    return Section(words("section.calibration"), (table,), "calibration")
