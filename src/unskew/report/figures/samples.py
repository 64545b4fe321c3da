"""Some images of each class, before and after a skew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unskew.report.figures.style import new_figure, wrapped

MOST_CLASSES = 20
GAP = 2
"""Pixels between tiles."""


def sample_grid(
    class_names: Sequence[str],
    samples: dict[str, NDArray[np.uint8]],
    counts: Mapping[str, Sequence[int]],
) -> Figure:
    """One panel for each training set, one row a class, tiles in proportion to its images.

    Of more than MOST_CLASSES classes as many, evenly spaced, are shown.

    Parameters
    ----------
    samples: by the set's label, uint8 (K, n, H, W, 3).
    counts: by the set's label, images of each class.
    """
    total = len(class_names)
    shown = np.unique(np.linspace(0, total - 1, min(total, MOST_CLASSES)).round().astype(int))
    columns = min(len(samples), 2)
    rows = -(-len(samples) // columns)
    figure = new_figure((0.45 + 0.36 * len(shown)) * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    largest = max(max(values) for values in counts.values())
    for ax in axes.flat:
        ax.set_axis_off()
    for index, (ax, (label, images)) in enumerate(zip(axes.flat, samples.items(), strict=False)):
        many = images.shape[1]
        tiles = [min(max(1, round(many * n / largest)), n, many) for n in counts[label]]
        ax.set_axis_on()
        ax.imshow(_mosaic(images, shown, tiles), interpolation="nearest")
        ax.set_title(wrapped(label, 46))
        step = images.shape[2] + GAP
        first = index % columns == 0
        ax.set_yticks(
            (np.arange(len(shown)) + 0.5) * step, [class_names[k] if first else "" for k in shown]
        )
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(False)
    return figure


def _mosaic(
    images: NDArray[np.uint8], shown: NDArray[np.int64], tiles: list[int]
) -> NDArray[np.uint8]:
    """RGBA; clear where there is no tile."""
    _, many, height, width, _ = images.shape
    ground = np.zeros((len(shown) * (height + GAP), many * (width + GAP), 4), dtype=np.uint8)
    for row, k in enumerate(shown):
        for column in range(tiles[k]):
            top, left = row * (height + GAP), column * (width + GAP)
            tile = ground[top : top + height, left : left + width]
            tile[..., :3], tile[..., 3] = images[k, column], 255
    return ground
