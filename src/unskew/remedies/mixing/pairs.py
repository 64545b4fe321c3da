"""What the mixing remedies share: who is mixed with whom, and the box of CutMix."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from unskew.data.transfer import moved
from unskew.remedies.base import Batch


def partners(batch: Batch, rng: np.random.Generator) -> Tensor:
    """A random permutation of the batch, int64 (B,), on its device."""
    return moved(torch.from_numpy(rng.permutation(len(batch.labels))), batch.labels)


def blend(first: Tensor, second: Tensor, lam: float) -> Tensor:
    """λ·first + (1 - λ)·second (Zhang et al. 2018), in `first`'s memory format."""
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


def paste(first: Tensor, second: Tensor, rows: slice, columns: slice) -> Tensor:
    """A copy of `first`, float (B, C, H, W), with `second`'s pixels in the rectangle."""
    pasted = first.clone()
    pasted[:, :, rows, columns] = second[:, :, rows, columns]
    return pasted
