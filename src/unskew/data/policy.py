"""The augmentation a recipe names, drawn for a whole epoch at once and applied batch by batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.data.augment import (
    draw_alternating_flips,
    draw_crops,
    draw_flips,
    draw_translations,
    translate,
)
from unskew.data.batches import Batches
from unskew.data.side_by_side import side_by_side


class EpochAugmentation:
    """Applies one epoch's draws to any slice of its positions.

    Parameters
    ----------
    policy: "none"; "flip": horizontally, each image with probability 1/2; "flip_crop": also
        shifted by up to 4 pixels into a zero border (He et al. 2016, section 4.2);
        "flip_translate": also shifted by up to 2 pixels, mirrored at the edge (Page 2019).
    seed, epoch: with the position in the epoch they determine every draw.
    count: images the epoch shows.
    view: independent draws for 0, 1, ... further views of the same images.
    device: where the batches live.
    alternate: int64 (count,), positions in the training set of the images shown: each is then
        flipped in every other epoch instead of by chance (`augment.draw_alternating_flips`).
    """

    def __init__(
        self,
        policy: str,
        seed: int,
        epoch: int,
        count: int,
        view: int = 0,
        device: str = "cpu",
        alternate: NDArray[np.int64] | None = None,
    ) -> None:
        self._flips: Tensor | None = None
        self._crops: Tensor | None = None
        self._translations: Tensor | None = None
        if policy != "none":
            if alternate is None:
                flips = draw_flips(seed, epoch, count, view=view)
            else:
                flips = draw_alternating_flips(seed, epoch, alternate, view=view)
            self._flips = torch.from_numpy(flips).to(device)
        if policy == "flip_crop":
            self._crops = torch.from_numpy(draw_crops(seed, epoch, count, view=view)).to(device)
        if policy == "flip_translate":
            shifts = draw_translations(seed, epoch, count, view=view)
            self._translations = torch.from_numpy(shifts).to(device)

    @classmethod
    def side_by_side(
        cls, augmentations: Sequence[EpochAugmentation], batch_size: int
    ) -> EpochAugmentation:
        """Those of several runs' epochs as one, for positions in the order of `side_by_side`."""
        joined = cls("none", 0, 0, 0)
        for name in ("_flips", "_crops", "_translations"):
            draws = [getattr(augmentation, name) for augmentation in augmentations]
            if draws[0] is not None:
                setattr(joined, name, side_by_side(draws, batch_size))
        return joined

    def __call__(self, batches: Batches, indices: Tensor, cut: slice | Tensor) -> Tensor:
        """The images at `indices` as the epoch's positions `cut` show them, float (B, 3, H, W).

        Parameters
        ----------
        cut: a slice, or the positions themselves, int64 (B,) on the device.
        """
        flips = None if self._flips is None else self._flips[cut]
        crops = None if self._crops is None else self._crops[cut]
        images = batches.images(indices, flips, crops)
        if self._translations is None:
            return images
        return translate(images, self._translations[cut])
