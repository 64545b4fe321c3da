"""Which few of many arms one figure shows."""

from __future__ import annotations

from statistics import fmean

from unskew.data.skew import describe_skew
from unskew.report.context import Context
from unskew.study.results import ArmResults

MOST = 4


def telling(context: Context, arms: dict[str, ArmResults]) -> dict[str, ArmResults]:
    """At most MOST of some arms by label, in their order.

    First come those that others are compared with, then those of the highest mean balanced
    accuracy: one of each network, training set and remedy before any other.
    """
    comparisons = context.results.study.expanded_comparisons()
    baselines = {baseline for comparison in comparisons for _, baseline in comparison.pairs}

    def place(label: str) -> tuple[bool, float]:
        figures = arms[label].metric("balanced_accuracy").values()
        return arms[label].arm.name not in baselines, -fmean(figures)

    ordered = sorted(arms, key=place)
    kinds: dict[tuple[str, str, str, str], str] = {}
    for label in ordered:
        recipe = arms[label].arm.recipe
        kind = recipe.model, describe_skew(recipe.skew), recipe.remedy, str(recipe.model_options)
        kinds.setdefault(kind, label)
    chosen = list(kinds.values())
    if len(chosen) < 3:
        # Three kinds tell enough; with fewer, other settings of the same kind fill the figure.
        chosen += [label for label in ordered if label not in chosen]
    return {label: arm for label, arm in arms.items() if label in chosen[:MOST]}
