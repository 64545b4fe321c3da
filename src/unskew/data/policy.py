"""The augmentation a recipe names, drawn for a whole epoch at once and applied batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor

from unskew.data.augment import draw_crops, draw_flips
from unskew.data.batches import Batches


class EpochAugmentation:
    """Applies one epoch's draws to any slice of its positions.

    Parameters
    ----------
    policy: "none"; "flip": horizontally, each image with probability 1/2; "flip_crop": also
        shifted by up to 4 pixels into a zero border (He et al. 2016, section 4.2).
    seed, epoch: with the position in the epoch they determine every draw.
    count: images the epoch shows.
    view: independent draws for 0, 1, ... further views of the same images.
    device: where the batches live.
    """

    def __init__(
        self, policy: str, seed: int, epoch: int, count: int, view: int = 0, device: str = "cpu"
    ) -> None:
        self._flips: Tensor | None = None
        self._crops: Tensor | None = None
        if policy in ("flip", "flip_crop"):
            self._flips = torch.from_numpy(draw_flips(seed, epoch, count, view=view)).to(device)
        if policy == "flip_crop":
            self._crops = torch.from_numpy(draw_crops(seed, epoch, count, view=view)).to(device)

    def __call__(self, batches: Batches, indices: Tensor, cut: slice) -> Tensor:
        """The images at `indices` as the epoch's positions `cut` show them, float (B, 3, H, W)."""
        flips = None if self._flips is None else self._flips[cut]
        return batches.images(indices, flips, None if self._crops is None else self._crops[cut])
