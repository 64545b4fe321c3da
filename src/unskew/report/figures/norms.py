"""Lengths of the classifier's weights, class by class, against weight decay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from unskew.report.figures.panels import panel_grid
from unskew.report.figures.style import colour, wrapped


@dataclass(frozen=True)
class NormsPanel:
    """One sweep.

    Attributes
    ----------
    title: above the panel.
    values: of λ, in the order of the study.
    norms: float (values, K), mean over seeds; NaN where a value has no run with weights.
    minority: bool (K,).
    """

    title: str
    values: list[str]
    norms: NDArray[np.float64]
    minority: NDArray[np.bool_]


def class_norms(
    panels: list[NormsPanel], minority: str, majority: str, axis: str, field: str
) -> Figure:
    """A thin line a class and a thick one for each group's mean.

    Parameters
    ----------
    minority, majority: names of the groups.
    field: what the values are of.
    """
    figure = panel_grid(panels, _draw, height=2.55, across=field, up=axis)
    handles = [Line2D([], [], color=colour(0), marker="o", markersize=4, label=majority)]
    if any(panel.minority.any() for panel in panels):
        handles.append(Line2D([], [], color=colour(1), marker="s", markersize=4, label=minority))
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _draw(ax: Axes, panel: NormsPanel) -> None:
    places = np.arange(len(panel.values))
    for index, group in ((0, ~panel.minority), (1, panel.minority)):
        if not group.any():
            continue
        shown = panel.norms[:, group]
        ax.plot(places, shown, color=colour(index), linewidth=0.7, alpha=0.45)
        ax.plot(
            places, shown.mean(axis=1), "os"[index], color=colour(index), markersize=4,
            linestyle="-", linewidth=1.8,
        )  # fmt: skip
    ax.set_xticks(places, panel.values)
    ax.set_ylim(bottom=0)
    ax.set_title(wrapped(panel.title, 46))
    ax.grid(False, axis="x")
