"""Some images of each class, before and after a skew."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unskew.report.figures.style import new_figure


def sample_grid(
    class_names: list[str],
    samples: dict[str, NDArray[np.uint8]],
    counts: dict[str, list[int]],
) -> Figure:
    """One panel for each training set, one row a class, tiles in proportion to its images.

    Parameters
    ----------
    samples: by the set's label, uint8 (K, n, H, W, 3).
    counts: by the set's label, images of each class.
    """
    rows = len(class_names)
    figure = new_figure(0.4 + 0.34 * rows)
    axes = figure.subplots(1, len(samples), squeeze=False)[0]
    largest = max(max(values) for values in counts.values())
    for ax, (label, images) in zip(axes, samples.items(), strict=True):
        _, shown, height, width, _ = images.shape
        ground = np.zeros((rows * height, shown * width, 4), dtype=np.uint8)
        for k in range(rows):
            tiles = min(max(1, round(shown * counts[label][k] / largest)), counts[label][k])
            for j in range(tiles):
                tile = ground[k * height : (k + 1) * height, j * width : (j + 1) * width]
                tile[..., :3], tile[..., 3] = images[k, j], 255
        ax.imshow(ground, interpolation="nearest")
        ax.set_title(label)
        ax.set_yticks((np.arange(rows) + 0.5) * height, class_names)
        ax.set_xticks([])
        ax.tick_params(length=0)
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(False)
    for ax in axes[1:]:
        ax.set_yticklabels([])
    return figure
