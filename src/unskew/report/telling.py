"""Which few of many arms one figure shows."""

from __future__ import annotations

from statistics import fmean

from unskew.data.skew import describe_skew
from unskew.report.context import Context
from unskew.study.results import ArmResults

MOST = 4


def telling(context: Context, arms: dict[str, ArmResults]) -> dict[str, ArmResults]:
    """At most MOST of some arms by label: one of each training set, remedy and network before
    any other and, where these are too many, what others are compared with before the best.
    """
    baselines = _baselines(context)
    kinds: dict[tuple[str, str, str, str], str] = {}
    for label in sorted(arms, key=lambda label: arms[label].arm.name not in baselines):
        recipe = arms[label].arm.recipe
        kind = recipe.model, describe_skew(recipe.skew), recipe.remedy, str(recipe.model_options)
        kinds.setdefault(kind, label)
    chosen = list(kinds.values())
    if len(chosen) > MOST:
        chosen = list(best(context, {label: arms[label] for label in chosen}))
    elif len(chosen) < 3:
        # Three kinds tell enough; with fewer, other settings of the same kind fill the figure.
        chosen += [label for label in arms if label not in chosen]
    return {label: arm for label, arm in arms.items() if label in chosen[:MOST]}


def best(context: Context, arms: dict[str, ArmResults]) -> dict[str, ArmResults]:
    """At most MOST of some arms by label: what others are compared with, then those of the
    highest mean balanced accuracy.
    """
    baselines = _baselines(context)

    def place(label: str) -> tuple[bool, float]:
        figures = arms[label].metric("balanced_accuracy").values()
        return arms[label].arm.name not in baselines, -fmean(figures)

    chosen = sorted(arms, key=place)[:MOST]
    return {label: arm for label, arm in arms.items() if label in chosen}


def _baselines(context: Context) -> set[str]:
    comparisons = context.results.study.expanded_comparisons()
    return {baseline for comparison in comparisons for _, baseline in comparison.pairs}
