"""Paired differences as a forest of dots and intervals."""

from __future__ import annotations

from matplotlib.figure import Figure

from unskew.evaluation.significance import Interval
from unskew.report.figures.style import INK, colour, new_figure, row_height


def forest(
    differences: dict[str, tuple[Interval, list[float]]], axis: str, scale: float = 100
) -> Figure:
    """A row for each comparison: its seeds, its mean and its interval, around zero.

    Parameters
    ----------
    differences: by label, (interval, difference of each seed).
    axis: label of the axis.
    scale: what figures are multiplied by; 100 turns shares into percentage points.
    """
    figure = new_figure(0.75 + row_height(differences, 0.22) * len(differences))
    ax = figure.subplots()
    ax.axvline(0, color=INK, linewidth=0.8)
    for row, (interval, seeds) in enumerate(differences.values()):
        clear = interval.low is not None and (interval.low > 0 or (interval.high or 0) < 0)
        tint = colour(0) if clear else colour(6)
        if interval.low is not None and interval.high is not None:
            ax.hlines(
                row, interval.low * scale, interval.high * scale, color=tint, linewidth=5, alpha=0.3
            )
        ax.plot([value * scale for value in seeds], [row] * len(seeds), "o", color=tint,
                markersize=3, alpha=0.7)  # fmt: skip
        ax.plot(interval.mean * scale, row, "D", color=tint, markersize=6)
    ax.set_yticks(range(len(differences)), list(differences))
    ax.set_ylim(len(differences) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(axis)
    ax.grid(False, axis="y")
    return figure
