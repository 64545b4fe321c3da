"""A number for every image, to find equal ones by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.data.chunks import chunks
from unskew.data.randomness import stream


def hashes(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """64 bits for each image of (N, ...), uint64 (N,).

    Equal images have equal hashes; others nearly never do, so what matches is to be compared. It
    is a multilinear hash modulo 2^64 (Lemire & Kaser 2014, section 2) of 32-bit words, with the
    same random factors in every run.
    """
    count = len(images)
    words = -(-images[0].size // 4) if count else 0
    factors = stream(0, "hashes").integers(0, 2**64, words, dtype=np.uint64)
    found = np.empty(count, dtype=np.uint64)
    for some in chunks(images):  # the set may be larger than memory
        pixels = np.asarray(images[some]).reshape(-1, images[0].size)
        rest = words * 4 - pixels.shape[1]
        if rest:
            pixels = np.pad(pixels, ((0, 0), (0, rest)))
        found[some] = np.ascontiguousarray(pixels).view(np.uint32) @ factors
    return found
