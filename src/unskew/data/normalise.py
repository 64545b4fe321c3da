"""Mean and standard deviation of the training images' channels."""

from __future__ import annotations

import hashlib
import weakref

import numpy as np
from numpy.typing import NDArray

from unskew.data.batches import View
from unskew.data.chunks import chunks
from unskew.data.readahead import read_in_order

Statistics = tuple[NDArray[np.float32], NDArray[np.float32]]

_known: dict[tuple[int, bytes], Statistics] = {}
"""By set and positions. Hundreds of a study's runs see the same images, one after the other."""


def channel_statistics(view: View) -> Statistics:
    """(mean, std) per channel over all pixels, float32 (3,) each, in units of 0..255.

    Computed from exact integer histograms. A channel that never varies has std 1, so that
    dividing by it is harmless. Kept for as long as the set lives, if nothing can change it.
    """
    images = view.images.images
    if images.flags.writeable:
        return _computed(view)
    key = id(images), hashlib.sha256(view.positions.tobytes()).digest()
    if key not in _known:
        _known[key] = _computed(view)
        weakref.finalize(images, _known.pop, key, None)
    return _known[key]


def _computed(view: View) -> Statistics:
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
