"""A figure for every arm and seed: how far each kind of chance moves it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unskew.report.figures.style import INK, colour, new_figure, wrapped


def spread_dots(
    figures: NDArray[np.float64],
    labels: list[str],
    seeds: list[str],
    *,
    metric: str,
    mean_label: str,
) -> Figure:
    """A column for each arm with a dot for each seed, and a line at the arm's mean.

    Parameters
    ----------
    figures: float (arms, seeds).
    labels, seeds: what arms and seeds are called.
    metric: label of the axis.
    mean_label: what the line at the mean is called.
    """
    figure = new_figure(2.9)
    ax = figure.subplots()
    arms, count = figures.shape
    places = np.arange(arms)
    for column in range(count):
        aside = (column - (count - 1) / 2) * 0.5 / max(count, 4)
        ax.plot(
            places + aside, figures[:, column], "o", markersize=4.5, color=colour(column),
            label=seeds[column],
        )  # fmt: skip
    ax.hlines(
        figures.mean(axis=1), places - 0.33, places + 0.33, color=INK, linewidth=1.4,
        label=mean_label,
    )  # fmt: skip
    ax.set_xticks(places, [wrapped(label, 90 // arms) for label in labels])
    ax.set_xlim(-0.6, arms - 0.4)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(metric)
    figure.legend(loc="outside right upper")
    return figure
