"""Training images of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unskew.report.figures.style import colour, new_figure, wrapped

NAMED = 40
"""Classes up to which each has a bar with its name and number; more are drawn as an outline."""


def class_counts(class_names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Figure:
    """Bars per class, one panel for each training set, on a common scale.

    Parameters
    ----------
    counts: by the training set's label, images of each class.
    """
    named = len(class_names) <= NAMED
    columns = min(len(counts), 3)
    rows = -(-len(counts) // columns)
    each = 0.55 + (0.21 * len(class_names) if named else 2.4)
    figure = new_figure(each * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    largest = max(max(values) for values in counts.values())
    for ax in axes.flat[len(counts) :]:
        ax.set_axis_off()
    for index, (ax, (label, values)) in enumerate(zip(axes.flat, counts.items(), strict=False)):
        ax.set_title(wrapped(label, 60 // columns))
        if named:
            _bars(ax, class_names, values, colour(index), largest)
        else:
            ax.stairs(values, fill=True, color=colour(index), alpha=0.85)
            ax.grid(False, axis="x")
    if named:
        axes.flat[0].invert_yaxis()
    return figure


def _bars(ax: Axes, names: Sequence[str], values: Sequence[int], tint: str, largest: int) -> None:
    ax.barh(names, values, color=tint, height=0.72, alpha=0.85)
    for row, value in enumerate(values):
        ax.text(value + largest * 0.02, row, f"{value:,}", va="center", fontsize=8)
    ax.set_xlim(0, largest * 1.2)
    # Every bar carries its number; an axis would say it twice.
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.grid(False)
    ax.tick_params(axis="y", length=0)
