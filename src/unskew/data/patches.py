"""What small patches of the training images look like on average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.data.batches import View
from unskew.data.chunks import chunks

LIMIT = 5000
"""Images that are looked at: their patches, millions of them, tell enough (airbench94, too)."""

CHUNK = 500
"""Images looked at in one go, or fewer if they are large."""


def patch_second_moment(
    view: View, mean: NDArray[np.float32], std: NDArray[np.float32], size: int
) -> NDArray[np.float64]:
    """E[p·pᵀ] over all patches p of `size` × `size` pixels, channels first, of normalised images.

    Parameters
    ----------
    view: the training images; of more than LIMIT, evenly spaced ones are taken.
    mean, std: per channel, float32 (3,), in units of 0..255.

    Returns
    -------
    float64 (3·size·size, 3·size·size), symmetric.
    """
    chosen = view.positions
    if len(chosen) > LIMIT:
        chosen = chosen[np.linspace(0, len(chosen) - 1, LIMIT).astype(np.int64)]
    total = np.zeros((3 * size * size,) * 2)
    patches = 0
    for some in chunks(view.images.images, len(chosen), CHUNK):
        pixels = (view.images.images[chosen[some]] - mean) / std
        windows = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(1, 2))
        rows = windows.reshape(-1, 3 * size * size)
        total += rows.T @ rows
        patches += len(rows)
    return total / patches
