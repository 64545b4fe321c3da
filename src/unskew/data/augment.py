"""Augmentation of whole batches in tensor code: parameters first, then their application.

Parameters are drawn for all positions of an epoch at once, as functions of (seed, epoch,
position, view) alone; applying them to a batch loops over no image.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.data.randomness import stream

PADDING = 4
"""Pixels a crop may shift an image by, in each direction."""


def draw_flips(seed: int, epoch: int, count: int, *, view: int = 0) -> NDArray[np.bool_]:
    """Which of an epoch's `count` images are flipped, bool (count,), each with probability 1/2."""
    return stream(seed, f"flip {view}", epoch).random(count) < 0.5


def draw_crops(seed: int, epoch: int, count: int, *, view: int = 0) -> NDArray[np.int64]:
    """Shifts (down, right) of an epoch's images, int64 (count, 2), each in [0, 2 * PADDING]."""
    return stream(seed, f"crop {view}", epoch).integers(0, 2 * PADDING + 1, (count, 2))


def flip(images: Tensor, mask: Tensor) -> Tensor:
    """Images (B, C, H, W), mirrored left to right where `mask`, bool (B,), is set."""
    return torch.where(mask[:, None, None, None], images.flip(3), images)


def pad_and_crop(images: Tensor, offsets: Tensor) -> Tensor:
    """Images (B, C, H, W) padded by PADDING zeros and cut back at `offsets`, int64 (B, 2).

    Offset PADDING in both directions is the image itself. Keeps the memory format.
    """
    count, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (PADDING,) * 4)
    down = offsets[:, 0, None] + torch.arange(height, device=images.device)
    right = offsets[:, 1, None] + torch.arange(width, device=images.device)
    which = torch.arange(count, device=images.device)[:, None, None]
    # Indexing pixels as (B, H, W, C) leaves the result channels last.
    cut = padded.permute(0, 2, 3, 1)[which, down[:, :, None], right[:, None, :]]
    return cut.permute(0, 3, 1, 2)


def rotate_and_noise(images: Tensor, degrees: Tensor, noise: Tensor, strength: float) -> Tensor:
    """Images turned about their centre, zeros moving in, with noise on top.

    Parameters
    ----------
    images: float (B, C, H, W), normalised.
    degrees: float32 (B,), counter-clockwise.
    noise: like `images`, standard normal.
    strength: standard deviation of the noise, in standard deviations of the pixels.
    """
    angle = torch.deg2rad(degrees)
    zero = torch.zeros_like(angle)
    first = torch.stack([angle.cos(), -angle.sin(), zero], dim=1)
    second = torch.stack([angle.sin(), angle.cos(), zero], dim=1)
    grid = torch.nn.functional.affine_grid(
        torch.stack([first, second], dim=1), list(images.shape), align_corners=False
    )
    turned = torch.nn.functional.grid_sample(images, grid, align_corners=False)
    return turned + strength * noise
