"""Reading ahead of the training where the images do not fit into memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

WATCHED = 1000
"""Batches that are read ahead after the disk was last waited for; then it is tried without."""


def major_faults() -> int:
    """How often this process has waited for a page to come from the disk; 0 where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


class Readahead:
    """Tells the system which rows of a memory map will be wanted, once it has been waited for.

    A random row of a file that is not in memory costs a wait of its own, and the system reads its
    neighbours too, which are not wanted now. Told some batches ahead, it fetches these rows alone
    and while the network trains. Where everything is in memory nothing is ever told.

    Parameters
    ----------
    images: uint8 (N, H, W, C); an array that is no memory map needs nothing.
    faults: how often the disk has been waited for so far.
    """

    def __init__(self, images: NDArray[np.uint8], faults: Callable[[], int] = major_faults) -> None:
        self._map: mmap.mmap | None = None
        if isinstance(images, np.memmap) and hasattr(mmap, "MADV_WILLNEED"):
            self._map = images._mmap  # type: ignore[attr-defined]
            self._row = images.strides[0]
            # The map begins at a multiple of the granularity, the array where its file says.
            self._first = images.offset % mmap.ALLOCATIONGRANULARITY
        self._faults = faults
        self._seen = faults()
        self._left = 0

    def __call__(self, rows: NDArray[np.int64]) -> bool:
        """Have the rows, int64 (n,), fetched; whether that was needed."""
        if self._map is None:
            return False
        now = self._faults()
        if now > self._seen:
            self._seen, self._left = now, WATCHED
        if not self._left:
            return False
        self._left -= 1
        for row in rows.tolist():
            begin = self._first + row * self._row
            page = begin - begin % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, page, begin + self._row - page)
        return True
