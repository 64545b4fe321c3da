"""A network as a row of blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from unskew.models.layer_row import LayerRow
from unskew.report.figures.style import INK, WIDTH, colour, new_figure

MERGED = {
    "BatchNorm2d": "BN", "BatchNorm1d": "BN", "ReLU": "ReLU", "Flatten": "", "Dropout": "drop",
}  # fmt: skip
"""Layers that change no shape worth a block: they are told, short, with the layer before them."""
TINTS = {"Conv2d": 0, "MaxPool2d": 5, "LSTM": 2, "Linear": 1}
PER_ROW = 12
"""Blocks side by side; a longer network goes on in the next row."""
MOST = 16
"""Blocks up to which each is drawn; of a longer network equal neighbours are drawn as one."""

Stage = tuple[str, tuple[int, ...]]


def stages(layers: Sequence[LayerRow]) -> list[Stage]:
    """(kind, output shape) of the layers that are drawn.

    A kind carries the layers that follow it without a block of their own, "Conv2d 3×3 BN ReLU",
    and where equal neighbours are drawn as one, how many they are.
    """
    drawn: list[Stage] = []
    for layer in layers:
        kind, shape = layer.kind, layer.output_shape
        if kind not in MERGED:
            drawn.append((kind, shape))
        elif drawn and MERGED[kind]:
            drawn[-1] = (f"{drawn[-1][0]} {MERGED[kind]}", drawn[-1][1])
    return drawn if len(drawn) <= MOST else _without_repeats(drawn)


def network_diagram(layers: Sequence[LayerRow], image_shape: Sequence[int], image: str) -> Figure:
    """Blocks from the image to the outputs; height by size, width by channels.

    Parameters
    ----------
    layers: rows of the network's table, in order.
    image_shape: (height, width, channels).
    image: what the first block is called.
    """
    height, width, channels = image_shape
    blocks: list[Stage] = [(image, (channels, height, width)), *stages(layers)]
    rows = [blocks[start : start + PER_ROW] for start in range(0, len(blocks), PER_ROW)]
    figure = new_figure(1.75 * len(rows) + 0.1, width=_width(min(len(blocks), PER_ROW)))
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, shown in zip(axes, rows, strict=True):
        ax.set_axis_off()
        ax.set_xlim(0, len(rows[0]))
        ax.set_ylim(-1.02, 0.68)
        for place, (kind, shape) in enumerate(shown):
            _block(ax, place + 0.5, kind, shape, float(height))
        widths = [_measure(shape, float(height))[1] for _, shape in shown]
        for place in range(len(shown) - 1):
            ends = place + 0.54 + widths[place] / 2, place + 1.46 - widths[place + 1] / 2
            ax.plot(ends, [0, 0], color=INK, linewidth=0.7)
    return figure


def _width(blocks: int) -> float:
    return max(0.5, blocks / PER_ROW) * WIDTH


def _without_repeats(drawn: list[Stage]) -> list[Stage]:
    merged: list[tuple[Stage, int]] = []
    for stage in drawn:
        if merged and merged[-1][0] == stage:
            merged[-1] = (stage, merged[-1][1] + 1)
        else:
            merged.append((stage, 1))
    return [(f"{k} × {kind}" if k > 1 else kind, shape) for (kind, shape), k in merged]


def _block(ax: Axes, x: float, kind: str, shape: tuple[int, ...], largest: float) -> None:
    tall, wide = _measure(shape, largest)
    family = kind.split("× ")[-1].split(" ")[0].rstrip(",")
    tint = colour(TINTS.get(family, 6))
    # A sequence is drawn as its steps, side by side.
    parts = 6 if len(shape) == 2 else 1
    for part in range(parts):
        left = x - wide / 2 + part * wide / parts
        ax.add_patch(
            Rectangle(
                (left, -tall / 2), wide / parts * (0.7 if parts > 1 else 1), tall,
                facecolor=tint, alpha=0.85, linewidth=0,
            )
        )  # fmt: skip
    label = "×".join(map(str, shape))
    ax.text(x, tall / 2 + 0.05, label, ha="center", va="bottom", fontsize=7)
    ax.text(x, -0.56, _lines(kind), ha="center", va="top", fontsize=7, linespacing=1.35)


def _lines(kind: str) -> str:
    """A kind in short lines: its name, its size, what follows it."""
    words, lines = kind.replace(" layers", "\N{NO-BREAK SPACE}layers").split(" "), [""]
    for word in words:
        joined = f"{lines[-1]} {word}".strip()
        if len(joined) <= 9:
            lines[-1] = joined
        else:
            lines.append(word)
    return "\n".join(line for line in lines if line)


def _measure(shape: tuple[int, ...], largest: float) -> tuple[float, float]:
    """(height, width) of an activation: (C, H, W), (steps, features) or (features,)."""
    if len(shape) == 3:
        channels, side = shape[0], shape[1]
        return side / largest, 0.08 + 0.07 * math.log2(channels + 1)
    tall = 0.1 + 0.075 * math.log2(shape[-1] + 1)
    return tall, 0.2 if len(shape) == 1 else 0.7
