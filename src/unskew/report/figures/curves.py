"""Loss and accuracy as training goes on."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from unskew.report.figures.style import colour, entry, new_figure
from unskew.study.results import ArmResults

POINTS = 100
"""Points of a loss curve; each is the mean over its share of the steps."""


def training_curves(arms: dict[str, ArmResults], loss: str, accuracy: str, epoch: str) -> Figure:
    """Training loss (left) and test accuracy (right): means over seeds, bands one deviation.

    Parameters
    ----------
    arms: by label; those without a finished run are left out by the caller.
    loss, accuracy, epoch: axis labels.
    """
    figure = new_figure(3.1 + 0.17 * len(arms))
    left, right = figure.subplots(1, 2)
    for index, (label, arm) in enumerate(arms.items()):
        runs = [run for run in arm.runs.values() if run.evaluation]
        epochs = len(runs[0].history.epochs)
        losses = np.stack([thinned(run.history.losses) for run in runs])
        along = np.linspace(0, epochs, losses.shape[1] + 1)[1:]
        _line(left, along, losses, label, colour(index))
        accuracies = np.array([[e.test_accuracy for e in run.history.epochs] for run in runs])
        _line(right, np.arange(1.0, epochs + 1), accuracies, label, colour(index))
    for ax, name in ((left, loss), (right, accuracy)):
        ax.set_title(name)
        ax.set_xlabel(epoch)
    left.set_ylim(bottom=0)
    right.xaxis.set_major_locator(
        MaxNLocator(9, steps=[1, 2, 2.5, 5, 10], integer=True, min_n_ticks=1)
    )
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=1)
    return figure


def thinned(losses: list[float], points: int = POINTS) -> NDArray[np.float64]:
    """Means over `points` equal shares of the steps; all steps where there are fewer."""
    values = np.asarray(losses, dtype=np.float64)
    parts = np.array_split(values, min(points, len(values)))
    return np.array([part.mean() for part in parts])


def _line(
    ax: Axes,
    along: NDArray[np.float64],
    values: NDArray[np.float64],
    label: str,
    tint: str,
) -> None:
    mean = values.mean(axis=0)
    marker = "o" if len(along) <= 20 else None
    ax.plot(along, mean, label=entry(label), color=tint, marker=marker, markersize=3.5)
    if len(values) > 1:
        spread = values.std(axis=0, ddof=1)
        ax.fill_between(along, mean - spread, mean + spread, color=tint, alpha=0.18, linewidth=0)
