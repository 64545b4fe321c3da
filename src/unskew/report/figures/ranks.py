"""Critical-difference diagrams (Demšar 2006): mean ranks on a line, bars over what is alike."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unskew.evaluation.ranks import Ranks
from unskew.report.figures.style import INK, colour, new_figure, row_height, wrapped

ROW, BAR = 0.24, 0.11
"""Inches between labels of one line, and between bars."""


def rank_diagram(ranks: Ranks, labels: dict[str, str], critical_label: str) -> Figure:
    """The better half is named on the left, the other on the right, the best and worst on top.

    Parameters
    ----------
    labels: what each treatment is called.
    critical_label: said of the length of the critical difference, where there is one.
    """
    names = list(ranks.means)
    left = names[: (len(names) + 1) // 2]
    right = names[len(left) :][::-1]
    shown = {name: wrapped(labels[name], 30) for name in names}
    row = row_height(shown.values(), ROW)
    below = 0.22 + BAR * len(ranks.cliques)
    deepest = below + row * len(left)
    above = 0.62 if ranks.critical else 0.3
    figure = new_figure(above + deepest)
    ax = figure.subplots()
    ax.set_axis_off()
    ax.set_xlim(0.8, len(names) + 0.2)
    ax.set_ylim(-deepest, above)  # in inches, so that rows keep their distance
    _scale(ax, len(names), ranks.critical, critical_label)
    for side, ha, edge in ((left, "right", 0.8), (right, "left", len(names) + 0.2)):
        for place, name in enumerate(side):
            at, depth = ranks.means[name], -(below + row * (place + 0.3))
            ax.plot([at, at, edge], [0, depth, depth], color=INK, alpha=0.55, linewidth=0.7)
            shift = -4 if ha == "right" else 4
            ax.annotate(
                f"{shown[name]} ({at:.2f})", (edge, depth), (shift, 0),
                textcoords="offset points", ha=ha, va="center", fontsize=8.5, annotation_clip=False,
            )  # fmt: skip
    for place, clique in enumerate(ranks.cliques):
        ends = ranks.means[clique[0]] - 0.04, ranks.means[clique[-1]] + 0.04
        ax.plot(ends, [-0.1 - BAR * place] * 2, color=colour(0), linewidth=3.5)
    return figure


def _scale(ax: Axes, count: int, critical: float | None, label: str) -> None:
    ax.plot([1, count], [0, 0], color=INK, linewidth=0.9)
    step = max(1, count // 14)
    for place in range(1, count + 1, step):
        ax.plot([place, place], [0, 0.05], color=INK, linewidth=0.9)
        ax.text(place, 0.08, str(place), ha="center", va="bottom", fontsize=8)
    if critical:
        ax.plot([1, 1 + critical], [0.36, 0.36], color=colour(1), linewidth=2.2)
        ax.text(1 + critical / 2, 0.4, label, ha="center", va="bottom", fontsize=8)
