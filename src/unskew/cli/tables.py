"""Tables for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from unskew.evaluation.evaluation import Evaluation


def evaluation_table(evaluation: Evaluation, remedy: str) -> Group:
    """Each class with its support and what its few images leave open, and the figures over all
    classes under it.
    """
    title = Text(f"remedy {remedy}, on the {evaluation.split} images")
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    for column in ("training images", "images", "accuracy", "95 % interval", "precision", "F1"):
        table.add_column(column, justify="right")
    for k, name in enumerate(evaluation.class_names):
        table.add_row(
            Text(name),
            f"{evaluation.train_counts[k]:,}",
            f"{evaluation.support[k]:,}",
            _figure(evaluation.class_accuracy[k]),
            _interval(evaluation.class_accuracy_interval[k]),
            _figure(evaluation.precision[k]),
            _figure(evaluation.f1[k]),
        )
    figures = {
        "accuracy": evaluation.accuracy,
        "balanced accuracy": evaluation.balanced_accuracy,
        "minority accuracy": evaluation.minority_accuracy,
        "majority accuracy": evaluation.majority_accuracy,
        "worst class": evaluation.worst_class_accuracy,
        "macro F1": evaluation.macro_f1,
    }
    summary = ", ".join(
        f"{name} {_figure(value)}" for name, value in figures.items() if value is not None
    )
    return Group(table, Text(summary))


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.2f}–{ends[1]:.2f}"
