"""A metric against the setting that is chosen."""

from __future__ import annotations

from matplotlib.figure import Figure

from unskew.evaluation.significance import Interval
from unskew.report.figures.style import colour, new_figure
from unskew.study.text import short_number


def sweep(
    values: list[float], series: dict[str, list[Interval | None]], metric: str, field: str
) -> Figure:
    """Means with intervals at evenly spaced values (they tend to be powers, and 0).

    Parameters
    ----------
    values: of the setting, ascending.
    series: by label, an interval for each value or None where nothing is known.
    """
    figure = new_figure(2.9, width=5.2)
    ax = figure.subplots()
    for index, (label, intervals) in enumerate(series.items()):
        shift = (index - (len(series) - 1) / 2) * 0.07
        known = [(k + shift, i) for k, i in enumerate(intervals) if i is not None]
        places, means = [place for place, _ in known], [i.mean for _, i in known]
        ax.plot(places, means, "o-", color=colour(index), markersize=5, label=label)
        for place, interval in known:
            if interval.low is not None and interval.high is not None:
                ax.vlines(
                    place, interval.low, interval.high, color=colour(index), linewidth=3.5,
                    alpha=0.3,
                )  # fmt: skip
    ax.set_xticks(range(len(values)), [short_number(value) for value in values])
    ax.set_xlabel(field)
    ax.set_title(metric)
    ax.grid(False, axis="x")
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure
