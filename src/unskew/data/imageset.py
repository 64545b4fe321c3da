"""Labelled images in memory or in a memory map: the noun that every room understands."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSet:
    """Images with one label each.

    Attributes
    ----------
    images: uint8 (N, H, W, 3), RGB, an array or a read-only memory map.
    labels: int64 (N,), each in [0, K).
    class_names: K names; position is the label.

    Raises
    ------
    ValueError: shapes or dtypes are not as above, or a label is out of range.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[3] != 3 or self.images.dtype != np.uint8:
            raise ValueError(
                f"images must be uint8 (N, H, W, 3), not {self.images.dtype} {self.images.shape}"
            )
        if self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise ValueError(
                f"labels must be int64 ({len(self.images)},), "
                f"not {self.labels.dtype} {self.labels.shape}"
            )
        if len(self.labels) and not (
            self.labels.min() >= 0 and self.labels.max() < len(self.class_names)
        ):
            raise ValueError(f"labels must lie in [0, {len(self.class_names)})")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels), in pixels."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def counts(self) -> NDArray[np.int64]:
        """Images per class, int64 (K,); a class without images counts 0."""
        return np.bincount(self.labels, minlength=self.num_classes).astype(np.int64)

    def subset(self, indices: NDArray[np.int64]) -> ImageSet:
        """The images at `indices` (int64, any length, in that order); copies them."""
        return ImageSet(self.images[indices], self.labels[indices], self.class_names)


@dataclass(frozen=True)
class Splits:
    """A data set as it is opened: training and test images that share their class names.

    Attributes
    ----------
    name: what results measured on it are labelled with.
    train, test: the two halves; never overlapping.
    fingerprint: hex digest of the decoded pixels, labels and class names of both halves. The
        same images opened from another path, or from an archive instead of a folder, have the
        same fingerprint.
    notes: sentences a report must carry ("3 files were skipped: ...", "a stratified test split
        of 20 % was made by seed 0").
    """

    name: str
    train: ImageSet
    test: ImageSet
    fingerprint: str
    notes: tuple[str, ...] = field(default=())
