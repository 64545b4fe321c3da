"""Batches cut from images that stay where they are: no per-image Python, no copy of the set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.data.as_tensor import as_tensor
from unskew.data.augment import PADDING, flip, pad_and_crop
from unskew.data.imageset import ImageSet
from unskew.data.readahead import Readahead
from unskew.data.resident import resident
from unskew.kernels.batch import batch, can_batch


@dataclass(frozen=True)
class View:
    """Some images of a set, by position: a skew or a split without a copy.

    Attributes
    ----------
    images: the whole set; may be a memory map shared with other runs.
    positions: int64 (N,), rows of the set that are seen, in order.
    """

    images: ImageSet
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 (N,)."""
        return self.images.labels[self.positions]

    def counts(self) -> NDArray[np.int64]:
        """Images per class, int64 (K,)."""
        return np.bincount(self.labels, minlength=self.images.num_classes).astype(np.int64)

    def select(self, indices: NDArray[np.int64]) -> View:
        """The view's images at `indices` (positions within the view)."""
        return View(self.images, self.positions[indices])


def whole(images: ImageSet) -> View:
    """All images of a set, in order."""
    return View(images, np.arange(len(images), dtype=np.int64))


class Batches:
    """Normalised batches of a view, on a device.

    Parameters
    ----------
    view: what to draw from.
    mean, std: per channel, float32 (3,), in units of 0..255; one number is of all three.
    device: where batches live. On the CPU the set is indexed where it lies; to an accelerator it
        is moved once, as uint8, for all its views and all runs of the process.

    Raises
    ------
    ValueError: a position of the view is not in the set, or mean or std have another shape.
    """

    def __init__(
        self, view: View, mean: NDArray[np.float32], std: NDArray[np.float32], device: str = "cpu"
    ) -> None:
        _check_positions(view)
        self.device = torch.device(device)
        self._readahead: Readahead | None
        if self.device.type == "cpu":
            self._pixels = as_tensor(view.images.images)
            self._positions = torch.from_numpy(view.positions).long()
            self._readahead = Readahead(view.images.images)
        else:
            self._pixels = resident(view.images.images, self.device)
            self._positions = torch.from_numpy(view.positions).long().to(device)
            self._readahead = None
        self.labels = torch.from_numpy(view.labels).to(device)
        self._mean = _of_channels(mean).to(device)
        self._scale = _of_channels(1 / np.asarray(std)).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def images(
        self, indices: Tensor, flips: Tensor | None = None, shifts: Tensor | None = None
    ) -> Tensor:
        """The images at `indices` (int64 (B,)): float32 (B, 3, H, W), channels last in memory.

        The pixels lie as (H, W, C), so viewing them as (C, H, W) makes channels-last batches
        without a transposition.

        Parameters
        ----------
        flips: bool (B,), mirrored where set; None: none is.
        shifts: int64 (B, 2) as `augment.pad_and_crop` takes them; None: none is shifted. Other
            dtypes are converted, here and in the constructor.

        Raises
        ------
        IndexError: an index is not in the view.
        ValueError: the shapes do not agree.
        """
        rows = self._positions[indices]
        flips = None if flips is None else flips.bool()
        shifts = None if shifts is None else shifts.long()
        _check_shapes(rows, flips, shifts)
        if can_batch(self._pixels):
            return batch(self._pixels, rows, flips, shifts, PADDING, self._mean, self._scale)
        pixels = self._pixels[rows].float()
        images = pixels.sub_(self._mean).mul_(self._scale).permute(0, 3, 1, 2)
        if flips is not None:
            images = flip(images, flips)
        return images if shifts is None else pad_and_crop(images, shifts)

    def ahead(self, indices: Tensor) -> None:
        """Images that will be wanted soon, int64 (n,): fetched meanwhile if the disk is slow."""
        if self._readahead is not None:
            self._readahead(self._positions[indices].numpy())


def _check_positions(view: View) -> None:
    """Kernels trust positions, which a set of its own could count from its end as NumPy does."""
    size, positions = len(view.images), view.positions
    if len(positions) and not 0 <= positions.min() <= positions.max() < size:
        raise ValueError(
            f"the positions of a view of {size:,} images lie between 0 and {size - 1:,}"
        )


def _check_shapes(rows: Tensor, flips: Tensor | None, shifts: Tensor | None) -> None:
    if rows.dim() != 1:
        raise ValueError(f"indices have one dimension, not the shape {tuple(rows.shape)}")
    batch = len(rows)
    if flips is not None and flips.shape != (batch,):
        raise ValueError(f"flips have the shape ({batch},), not {tuple(flips.shape)}")
    if shifts is not None and shifts.shape != (batch, 2):
        raise ValueError(f"shifts have the shape ({batch}, 2), not {tuple(shifts.shape)}")


def _of_channels(values: NDArray[np.floating]) -> Tensor:
    """float32 (3,), contiguous: kernels read memory as what it ought to hold."""
    return torch.from_numpy(np.broadcast_to(values, 3).astype(np.float32))
