"""Accuracy as the shares of the classes move from the training set's to the reverse."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unskew.evaluation.confusion import accuracy_under_prior
from unskew.evaluation.evaluation import Evaluation
from unskew.evaluation.priors import tilted_prior
from unskew.report.figures.style import colour, entry, new_figure
from unskew.study.results import ArmResults

STEPS = 41


def accuracy_by_prior(arms: dict[str, ArmResults], names: list[str], axis: str) -> Figure:
    """A line an arm: mean over seeds, band one deviation, against the power of the counts.

    Parameters
    ----------
    arms: by label, each with a finished run.
    names: of the training prior, the uniform one and the reversed one.
    """
    figure = new_figure(3.0 + 0.17 * len(arms))
    ax = figure.subplots()
    powers = np.linspace(1, -1, STEPS)
    for index, (label, arm) in enumerate(arms.items()):
        values = np.array([_accuracies(evaluation, powers) for evaluation in arm.evaluations])
        mean, tint = values.mean(axis=0), colour(index)
        ax.plot(powers, mean, color=tint, label=entry(label))
        if len(values) > 1:
            spread = values.std(axis=0, ddof=1)
            ax.fill_between(
                powers, mean - spread, mean + spread, color=tint, alpha=0.15, linewidth=0
            )
    ax.set_xlim(1, -1)
    ax.set_xticks([1, 0, -1], names)
    # The outer names would reach beyond the figure if centred on their ticks.
    first, _, last = ax.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    ax.set_ylabel(axis)
    figure.legend(loc="outside lower left", ncols=1)
    return figure


def _accuracies(evaluation: Evaluation, powers: NDArray[np.float64]) -> list[float]:
    # Not by way of the evaluation, which would make an array of its tuples for each power.
    confusion, counts = np.array(evaluation.confusion), np.array(evaluation.train_counts)
    return [accuracy_under_prior(confusion, tilted_prior(counts, power)) for power in powers]
