"""Every arm's figure in one look, beside what was published."""

from __future__ import annotations

from matplotlib.figure import Figure

from unskew.report.figures.style import INK, colour, new_figure, row_height, wrapped
from unskew.report.numbers import over_seeds
from unskew.study.results import ArmResults


def overview(
    arms: dict[str, ArmResults],
    metric: str,
    published: dict[str, float],
    axis: str,
    published_label: str,
) -> Figure:
    """A row an arm: its seeds, their mean and interval, and the published figure if there is one.

    Parameters
    ----------
    arms: by label, each with a finished run; coloured by network.
    published: by label.
    """
    labels = [wrapped(label) for label in arms]
    figure = new_figure(0.75 + row_height(labels, 0.3) * len(arms))
    ax = figure.subplots()
    models = list(dict.fromkeys(arm.arm.recipe.model for arm in arms.values()))
    for row, (label, arm) in enumerate(arms.items()):
        tint, found = colour(models.index(arm.arm.recipe.model)), arm.metric(metric)
        interval = over_seeds(found)
        if interval is None:
            continue
        if interval.low is not None and interval.high is not None:
            ends = max(interval.low, 0), min(interval.high, 1)
            ax.hlines(row, *ends, color=tint, linewidth=5, alpha=0.3)
        ax.plot(
            list(found.values()), [row] * len(found), "o", color=tint, markersize=3, alpha=0.6,
            clip_on=False,
        )  # fmt: skip
        ax.plot(interval.mean, row, "D", color=tint, markersize=6, clip_on=False)
        if label in published:
            ax.plot(
                published[label], row, "o", markerfacecolor="none", markeredgecolor=INK,
                markersize=8, markeredgewidth=1.2, clip_on=False,
            )  # fmt: skip
    if published:
        ax.plot([], [], "o", markerfacecolor="none", markeredgecolor=INK, label=published_label)
        figure.legend(loc="outside lower left")
    ax.set_yticks(range(len(arms)), labels)
    ax.set_ylim(len(arms) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(axis)
    ax.grid(False, axis="y")
    return figure
