"""What the mixing remedies share: who is mixed with whom, and the box of CutMix."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from unskew.remedies.base import Batch


def partners(count: int, rng: np.random.Generator) -> Tensor:
    """A random permutation of a batch: how many rows on each image's partner is, int64 (B,)."""
    return torch.from_numpy(rng.permutation(count) - np.arange(count))


def rows_of(away: Tensor) -> Tensor:
    """The rows, int64 (B,), that `partners` speaks of."""
    return torch.arange(len(away), device=away.device) + away


def blend(first: Tensor, second: Tensor, lam: float | Tensor) -> Tensor:
    """λ·first + (1 - λ)·second (Zhang et al. 2018), in `first`'s memory format.

    Parameters
    ----------
    lam: of all images (B, C, H, W), or of each, float (B,).
    """
    if isinstance(lam, Tensor):
        lam = lam[:, None, None, None]
    return torch.lerp(second, first, lam)


def shares(batch: Batch, lam: float) -> Tensor:
    """λ for every image, float32 (B,)."""
    return torch.full((len(batch.labels),), lam, device=batch.images.device)


def box(
    height: int, width: int, lam: float, rng: np.random.Generator
) -> tuple[slice, slice, float]:
    """CutMix's rectangle and the share of the image that it leaves.

    Sides are √(1 - λ) of the image's, rounded down, around a uniform centre, cut off at the
    border (Yun et al. 2019, equation 2 and its public code).

    Returns
    -------
    rows, columns, and 1 - area/(height·width): the exact λ after cutting off.
    """
    side = math.sqrt(1 - lam)
    tall, wide = int(height * side), int(width * side)
    row, column = int(rng.integers(height)), int(rng.integers(width))
    rows = slice(max(row - tall // 2, 0), min(row + tall // 2, height))
    columns = slice(max(column - wide // 2, 0), min(column + wide // 2, width))
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return rows, columns, 1 - area / (height * width)


def box_numbers(count: int, rows: slice, columns: slice) -> Tensor:
    """The rectangle for each of `count` images: top, bottom, left and right, int64 (B, 4)."""
    of_one = np.array([rows.start, rows.stop, columns.start, columns.stop])
    return torch.from_numpy(np.tile(of_one, (count, 1)))


def paste_boxes(first: Tensor, second: Tensor, boxes: Tensor) -> Tensor:
    """`first`, float (B, C, H, W), with `second`'s pixels in each image's own rectangle.

    Parameters
    ----------
    boxes: as `box_numbers` gives them, on the images' device.
    """
    top, bottom, left, right = boxes[:, :, None].unbind(1)
    rows = torch.arange(first.shape[2], device=boxes.device)
    columns = torch.arange(first.shape[3], device=boxes.device)
    tall, wide = (top <= rows) & (rows < bottom), (left <= columns) & (columns < right)
    return torch.where((tall[:, :, None] & wide[:, None])[:, None], second, first)


def paste(first: Tensor, second: Tensor, rows: slice, columns: slice) -> Tensor:
    """A copy of `first`, float (B, C, H, W), with `second`'s pixels in the rectangle."""
    pasted = first.clone()
    pasted[:, :, rows, columns] = second[:, :, rows, columns]
    return pasted
