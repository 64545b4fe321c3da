"""Training images of each class."""

from __future__ import annotations

from matplotlib.figure import Figure

from unskew.report.figures.style import colour, new_figure


def class_counts(class_names: list[str], counts: dict[str, list[int]]) -> Figure:
    """Bars per class, one panel for each training set, on a common scale.

    Parameters
    ----------
    counts: by the training set's label, images of each class.
    """
    height = 0.5 + 0.21 * len(class_names)
    figure = new_figure(height)
    axes = figure.subplots(1, len(counts), sharex=True, sharey=True, squeeze=False)[0]
    largest = max(max(values) for values in counts.values())
    for index, (ax, (label, values)) in enumerate(zip(axes, counts.items(), strict=True)):
        ax.barh(class_names, values, color=colour(index), height=0.72)
        for row, value in enumerate(values):
            ax.text(value + largest * 0.02, row, f"{value:,}", va="center", fontsize=8)
        ax.set_title(label)
        ax.set_xlim(0, largest * 1.18)
        ax.grid(False, axis="y")
        ax.tick_params(axis="y", length=0)
    axes[0].invert_yaxis()
    return figure
