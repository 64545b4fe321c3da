"""Accuracy class by class, and of minority against majority."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from unskew.evaluation.significance import Interval
from unskew.report.figures.style import INK, colour, entry, new_figure, row_height, wrapped
from unskew.study.results import ArmResults


def class_accuracy(
    class_names: Sequence[str], arms: dict[str, ArmResults], counts: Sequence[int], axis: str
) -> Figure:
    """Dots per class and arm: mean over seeds, bars from the worst seed to the best.

    Parameters
    ----------
    arms: by label, each with a finished run.
    counts: training images of each class, printed beside its name.
    """
    figure = new_figure(0.9 + len(class_names) * (0.12 + 0.1 * len(arms)) + 0.17 * len(arms))
    ax = figure.subplots()
    offsets = np.linspace(-0.3, 0.3, len(arms)) if len(arms) > 1 else [0.0]
    rows = np.arange(len(class_names))
    for index, ((label, arm), offset) in enumerate(zip(arms.items(), offsets, strict=True)):
        values = np.array(
            [[np.nan if a is None else a for a in e.class_accuracy] for e in arm.evaluations]
        )
        mean = values.mean(axis=0)
        ends = values.min(axis=0), values.max(axis=0)
        ax.hlines(rows + offset, *ends, color=colour(index), linewidth=1)
        shape = "osDv"[index % 4]
        ax.plot(
            mean, rows + offset, shape, color=colour(index), markersize=4.5, label=entry(label),
            clip_on=False,
        )  # fmt: skip
    names = [f"{name} ({count:,})" for name, count in zip(class_names, counts, strict=True)]
    ax.set_yticks(rows, names)
    ax.set_ylim(len(class_names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 1)
    ax.set_xlabel(axis)
    ax.grid(False, axis="y")
    ax.hlines(rows[:-1] + 0.5, 0, 1, color=INK, alpha=0.12, linewidth=0.6)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=1)
    return figure


def group_gap(
    groups: dict[str, tuple[Interval, Interval]], minority: str, majority: str, axis: str
) -> Figure:
    """Minority and majority accuracy of each arm, joined by their gap.

    Parameters
    ----------
    groups: by the arm's label, (minority, majority).
    """
    labels = [wrapped(label) for label in groups]
    figure = new_figure(0.9 + row_height(labels, 0.3) * len(groups))
    ax = figure.subplots()
    for row, (few, many) in enumerate(groups.values()):
        ax.plot([few.mean, many.mean], [row, row], color=INK, alpha=0.35, linewidth=1.2)
        for index, interval in ((1, few), (0, many)):
            if interval.low is not None and interval.high is not None:
                ends = max(interval.low, 0), min(interval.high, 1)
                ax.hlines(row, *ends, color=colour(index), linewidth=5, alpha=0.3)
            name = (majority, minority)[index] if row == 0 else None
            ax.plot(
                interval.mean,
                row,
                "o",
                color=colour(index),
                markersize=6,
                label=name,
                clip_on=False,
            )
    ax.set_yticks(range(len(groups)), labels)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(axis)
    ax.grid(False, axis="y")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure
