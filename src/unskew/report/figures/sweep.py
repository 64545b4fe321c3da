"""A metric against the setting that is chosen."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unskew.evaluation.significance import Interval
from unskew.report.figures.panels import panel_grid
from unskew.report.figures.style import colour, entry, wrapped


@dataclass(frozen=True)
class Panel:
    """One selection.

    Attributes
    ----------
    title: above the panel.
    values: of the setting, in the order of the study.
    series: by label, an interval for each value, or None where nothing is known.
    chosen: position of the value that was chosen on validation; None while it is open.
    """

    title: str
    values: list[str]
    series: dict[str, list[Interval | None]]
    chosen: int | None


def sweep(panels: list[Panel], metric: str, field: str) -> Figure:
    """Means with intervals at evenly spaced values (numbers tend to be powers, and 0)."""
    figure = panel_grid(panels, _draw, height=2.75, across=field, up=metric)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure


def _draw(ax: Axes, panel: Panel) -> None:
    if panel.chosen is not None:
        ax.axvspan(panel.chosen - 0.3, panel.chosen + 0.3, color=colour(6), alpha=0.14, linewidth=0)
    for index, (label, intervals) in enumerate(panel.series.items()):
        shift = (index - (len(panel.series) - 1) / 2) * 0.16
        known = [(k + shift, i) for k, i in enumerate(intervals) if i is not None]
        ax.plot(
            [place for place, _ in known], [i.mean for _, i in known], "os"[index % 2],
            color=colour(index), markersize=5, label=entry(label), linestyle="-", linewidth=1.1,
        )  # fmt: skip
        for place, interval in known:
            if interval.low is not None and interval.high is not None:
                ends = max(interval.low, 0), min(interval.high, 1)
                ax.vlines(place, *ends, color=colour(index), linewidth=3.5, alpha=0.3)
    ax.set_xticks(range(len(panel.values)), panel.values)
    ax.set_title(wrapped(panel.title, 46))
    ax.grid(False, axis="x")
