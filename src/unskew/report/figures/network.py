"""A network as a row of blocks."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from unskew.report.figures.style import INK, colour, new_figure

MERGED = ("BatchNorm2d", "BatchNorm1d", "ReLU", "Flatten", "Dropout")
"""Layers that change no shape worth a block; they are told with the layer before them."""
MOST = 16
"""Blocks that fit a page; of a longer network repeated ones are left out."""


def stages(layers: list[dict[str, Any]]) -> list[tuple[str, tuple[int, ...]]]:
    """(kind, output shape) of the layers that are drawn; repeats become "kind, k times"."""
    drawn: list[tuple[str, tuple[int, ...]]] = []
    times: list[int] = []
    for layer in layers:
        kind, shape = layer["kind"], tuple(layer["output_shape"])
        if kind in MERGED:
            continue
        many = sum(other["kind"] not in MERGED for other in layers) > MOST
        if many and drawn and drawn[-1] == (kind, shape):
            times[-1] += 1
            continue
        drawn.append((kind, shape))
        times.append(1)
    return [
        (f"{kind} ({count} times)" if count > 1 else kind, shape)
        for (kind, shape), count in zip(drawn, times, strict=True)
    ]


def network_diagram(layers: list[dict[str, Any]], image_shape: list[int]) -> Figure:
    """Blocks from the image to the outputs; height by size, width by channels."""
    height, width, channels = image_shape
    blocks = [("image", (channels, height, width)), *stages(layers)]
    figure = new_figure(2.5)
    ax = figure.subplots()
    ax.set_axis_off()
    x, largest = 0.0, float(height)
    for position, (kind, shape) in enumerate(blocks):
        tall, wide, label = _measure(shape, largest)
        family = kind.split(" ")[0].rstrip(",")
        index = {"Conv2d": 0, "MaxPool2d": 5, "LSTM": 2, "Linear": 1}.get(family, 6)
        ax.add_patch(
            Rectangle((x, -tall / 2), wide, tall, facecolor=colour(index), alpha=0.8, linewidth=0)
        )
        middle = x + wide / 2
        ax.text(middle, tall / 2 + 0.04, label, ha="center", va="bottom", fontsize=7.5)
        ax.text(
            middle, -0.62, kind, ha="right", va="top", rotation=40, fontsize=7.5,
            rotation_mode="anchor",
        )  # fmt: skip
        # Labels are wider than thin blocks, so blocks keep a least distance.
        step = max(wide + 0.16, 0.24 + 0.045 * len(label))
        if position < len(blocks) - 1:
            ax.plot([x + wide + 0.02, x + step - 0.02], [0, 0], color=INK, linewidth=0.8)
        x += step
    ax.set_xlim(-0.45, max(x, 5.5))
    ax.set_ylim(-1.25, 0.75)
    return figure


def _measure(shape: tuple[int, ...], largest: float) -> tuple[float, float, str]:
    """(height, width, label) of an activation: (C, H, W), (steps, features) or (features,)."""
    if len(shape) == 3:
        channels, side = shape[0], shape[1]
        return side / largest, 0.06 + 0.05 * math.log2(channels + 1), f"{channels}×{side}×{side}"
    features = shape[-1]
    label = "×".join(map(str, shape))
    return 0.12 + 0.07 * math.log2(features + 1), 0.14 if len(shape) == 1 else 0.45, label
