"""A set of images in pieces that fit into memory, however large each image is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 16 << 20
"""Bytes of pixels that are looked at in one go; what is made of them may take ten times as many."""


def chunks(
    images: NDArray[np.uint8], count: int | None = None, most: int | None = None
) -> Iterator[slice]:
    """Slices that follow each other, each of as many images as CHUNK_BYTES hold, at least one.

    Parameters
    ----------
    images: (N, ...), for the size of one.
    count: how many are sliced; None: all.
    most: images in a slice, however small they are.
    """
    count = len(images) if count is None else count
    size = max(1, CHUNK_BYTES // max(1, math.prod(images.shape[1:]) * images.itemsize))
    size = size if most is None else min(size, most)
    return (slice(begin, begin + size) for begin in range(0, count, size))
