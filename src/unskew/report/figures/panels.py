"""Several small drawings of one kind in a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unskew.report.figures.style import WIDTH, new_figure

COLUMNS = 2
Drawn = TypeVar("Drawn")


def panel_grid(
    panels: Sequence[Drawn],
    draw: Callable[[Axes, Drawn], None],
    *,
    height: float,
    across: str,
    up: str,
) -> Figure:
    """Each panel drawn into axes of its own, two to a row.

    Parameters
    ----------
    height: of a row, in inches.
    across, up: labels of the axes; the second stands at the left of each row.
    """
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(height * rows + 0.3, width=WIDTH if columns > 1 else WIDTH * 0.6)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, panel in zip(axes.flat, panels, strict=False):
        draw(ax, panel)
        ax.set_xlabel(across)
    for ax in axes[:, 0]:
        ax.set_ylabel(up)
    return figure
