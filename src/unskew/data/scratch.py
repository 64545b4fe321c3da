"""Images on their way to the cache, kept on disk so that a set may be larger than memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unskew.data.chunks import chunks


class ScratchImages:
    """A growing pile of equally large images in a file without a name.

    The file goes when the last array over it does, however the process ends.

    Parameters
    ----------
    folder: on the disk that has the room; None: the system's folder for such files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open as long as the pile
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, images: NDArray[np.uint8]) -> None:
        """Append one image (H, W, C) or several (n, H, W, C), uint8.

        Raises
        ------
        OSError: the disk is full.
        """
        several = images if images.ndim == 4 else images[None]
        self._shape = several.shape[1:]
        self._file.write(np.ascontiguousarray(several).data)
        self._count += len(several)

    def array(self) -> NDArray[np.uint8]:
        """All of them, uint8 (N, H, W, C), mapped from the file."""
        self._file.flush()
        return np.memmap(self._file, np.uint8, "r", shape=(self._count, *self._shape))


def select(
    images: NDArray[np.uint8], positions: NDArray[np.int64], folder: Path | None
) -> NDArray[np.uint8]:
    """A copy of the images at `positions`, on disk; never more than a chunk of them in memory."""
    pile = ScratchImages(folder)
    for some in chunks(images, len(positions)):
        pile.add(images[positions[some]])
    return pile.array()
