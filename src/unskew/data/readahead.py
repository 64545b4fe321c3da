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


def read_in_order(images: NDArray[np.uint8]) -> None:
    """Tell the system that a memory map is about to be read from its begin to its end."""
    if isinstance(images, np.memmap) and hasattr(mmap, "MADV_NORMAL"):
        images._mmap.madvise(mmap.MADV_NORMAL)  # type: ignore[attr-defined]


class Readahead:
    """Tells the system which rows of a memory map will be wanted, once it has been waited for.

    A random row of a file that is not in memory costs a wait of its own, and the system reads its
    neighbours too, megabytes of them on some disks, which are not wanted now and push out what is.
    Told that rows are wanted one here and one there, and which some batches ahead, it fetches these
    alone and while the network trains. Where everything is in memory nothing is ever told.

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
            # Each time anew: another view of the same map may have done without in between.
            self._map.madvise(mmap.MADV_RANDOM)
            self._seen, self._left = now, WATCHED
        if not self._left:
            return False
        self._left -= 1
        if not self._left:
            self._map.madvise(mmap.MADV_NORMAL)
        for row in rows.tolist():
            begin = self._first + row * self._row
            page = begin - begin % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, page, begin + self._row - page)
        return True
