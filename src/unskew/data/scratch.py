"""Images on their way to the cache, on disk if they are many: a set may be larger than memory."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from unskew.data.chunks import chunks

IN_MEMORY = 256 << 20
"""Bytes of a pile that are not worth a file."""


class ScratchImages:
    """A growing pile of equally large images: in memory, and in a file without a name once it is
    large.

    The file goes when the last array over it does, however the process ends.

    Parameters
    ----------
    folder: on the disk that has the room; None: the system's folder for such files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._pile: io.BytesIO | IO[bytes] = io.BytesIO()
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
        held = self._pile
        if isinstance(held, io.BytesIO) and held.tell() + several.nbytes > IN_MEMORY:
            self._pile = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - open as long
            self._pile.write(held.getbuffer())
        self._pile.write(np.ascontiguousarray(several).data)
        self._count += len(several)

    def array(self) -> NDArray[np.uint8]:
        """All of them, uint8 (N, H, W, C), read-only; nothing can be added afterwards."""
        shape = (self._count, *self._shape)
        if isinstance(self._pile, io.BytesIO):
            return np.frombuffer(self._pile.getbuffer().toreadonly(), np.uint8).reshape(shape)
        self._pile.flush()
        return np.memmap(self._pile, np.uint8, "r", shape=shape)


def select(
    images: NDArray[np.uint8], positions: NDArray[np.int64], folder: Path | None
) -> NDArray[np.uint8]:
    """A copy of the images at `positions`, on disk; never more than a chunk of them in memory."""
    pile = ScratchImages(folder)
    for some in chunks(images, len(positions)):
        pile.add(images[positions[some]])
    return pile.array()
