"""Mean and standard deviation of the training images' channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.data.batches import View
from unskew.data.chunks import chunks
from unskew.data.readahead import read_in_order


def channel_statistics(view: View) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(mean, std) per channel over all pixels, float32 (3,) each, in units of 0..255.

    Computed from exact integer histograms. A channel that never varies has std 1, so that
    dividing by it is harmless.
    """
    read_in_order(view.images.images)  # a run before may have read it here and there
    histogram = np.zeros((3, 256), dtype=np.int64)
    for some in chunks(view.images.images, len(view)):  # the set may be larger than memory
        pixels = view.images.images[view.positions[some]]
        for channel in range(3):
            histogram[channel] += np.bincount(pixels[..., channel].ravel(), minlength=256)
    values = np.arange(256, dtype=np.float64)
    total = histogram.sum(axis=1)
    mean = histogram @ values / total
    variance = histogram @ values**2 / total - mean**2
    std = np.sqrt(np.maximum(variance, 0))
    std[std < 1e-6] = 1
    return mean.astype(np.float32), std.astype(np.float32)
