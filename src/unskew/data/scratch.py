"""Images on their way to the cache, on disk: a set may be larger than memory."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from unskew.data.chunks import chunks


class ScratchImages:
    """A growing pile of equally large images, in a file without a name.

    The file goes when the last array over it does, however the process ends, unless `keep` has
    given it a name. It is laid out as NumPy's .npy, which leaves room for a length that is known
    only at the end.

    Parameters
    ----------
    folder: on the disk that has the room; None: the system's folder for such files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
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
        if self._file is None:
            self._shape = several.shape[1:]
            self._file = _nameless(self._folder)
            self._write_header(self._file)
        self._file.write(np.ascontiguousarray(several).data)
        self._count += len(several)

    def array(self) -> NDArray[np.uint8]:
        """All of them, uint8 (N, H, W, C), read-only; nothing can be added afterwards.

        Raises
        ------
        OSError: the disk is full.
        ValueError: there are none.
        """
        if self._file is None:
            raise ValueError("an empty pile has no shape")
        self._file.seek(0)
        self._write_header(self._file)
        self._file.flush()
        array = _Kept(
            self._file, np.uint8, "r", self._file.tell(), (self._count, *self._shape)
        )  # fmt: skip
        array.file = self._file
        return array

    def _write_header(self, file: IO[bytes]) -> None:
        shape = (self._count, *self._shape)
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )


class _Kept(np.memmap):
    """A memory map that holds the file below it; views of it, which may be parts, do not."""

    file: IO[bytes] | None = None


def keep(array: NDArray[np.generic], path: Path) -> bool:
    """Name the file of a whole pile `path`, so that it need not be written twice.

    Returns
    -------
    False where that cannot be: the array is no pile's, or its file is on another disk or one that
    gives no names afterwards. Nothing is at `path` then.
    """
    file = getattr(array, "file", None)
    if file is None:
        return False
    with suppress(OSError, NotImplementedError):  # the latter where a system has no such links
        # With a descriptor of a folder, which is not looked at, Python lets the system follow the
        # link; without one, it does not.
        os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=file.fileno())
        return True
    return False


def _nameless(folder: Path | None) -> IO[bytes]:
    """A file that has no name yet where the system knows such, else one that never has."""
    if folder is not None and hasattr(os, "O_TMPFILE"):
        with suppress(OSError):
            # Readable as the umask says, since a cache may be shared.
            return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), "w+b")
    return tempfile.TemporaryFile(dir=folder)


def select(
    images: NDArray[np.uint8], positions: NDArray[np.int64], folder: Path | None
) -> NDArray[np.uint8]:
    """A copy of the images at `positions`, on disk; never more than a chunk of them in memory."""
    pile = ScratchImages(folder)
    for some in chunks(images, len(positions)):
        pile.add(images[positions[some]])
    return pile.array()
