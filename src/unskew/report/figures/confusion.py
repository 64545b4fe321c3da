"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from unskew.report.figures.style import new_figure, wrapped
from unskew.study.results import ArmResults

NUMBERED = 12
"""Classes up to which every cell carries its number."""


def confusion_matrices(class_names: Sequence[str], arms: dict[str, ArmResults]) -> Figure:
    """Row percentages, mean over seeds; two matrices a row.

    Parameters
    ----------
    arms: by label, each with a finished run.
    """
    columns = min(2, len(arms))
    rows = -(-len(arms) // columns)
    figure = new_figure(3.9 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat[len(arms) :]:
        ax.set_axis_off()
    for ax, (label, arm) in zip(axes.flat, arms.items(), strict=False):
        shares = []
        for evaluation in arm.evaluations:
            counts = np.array(evaluation.confusion, dtype=np.float64)
            shares.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 100)
        mean = np.mean(shares, axis=0)
        ax.imshow(mean, cmap="Blues", vmin=0, vmax=100)
        ax.set_title(wrapped(label, 44))
        if len(class_names) <= NUMBERED:
            for (i, j), value in np.ndenumerate(mean):
                if value > 0.5:
                    tint = "#ffffff" if value > 55 else "#202020"
                    ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7, color=tint)
            ax.set_yticks(range(len(class_names)), class_names)
            ax.set_xticks(range(len(class_names)), class_names, rotation=60, ha="right")
        ax.grid(False)
        ax.tick_params(length=0)
    return figure
