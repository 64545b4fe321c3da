"""A normalised, augmented batch in one pass over its pixels."""

from __future__ import annotations

from ctypes import c_int64

import torch
from torch import Tensor

from unskew.kernels.call import call
from unskew.kernels.layout import new_floats
from unskew.kernels.library import load

WIDEST = 4096  # of batch.c


def can_batch(pixels: Tensor) -> bool:
    """Whether `batch` takes images from `pixels`, uint8 (N, H, W, 3)."""
    return (
        pixels.device.type == "cpu"
        and pixels.is_contiguous()
        and pixels.shape[3] == 3
        and pixels.shape[2] <= WIDEST
        and load("batch").functions is not None
    )


def batch(
    pixels: Tensor,
    rows: Tensor,
    flips: Tensor | None,
    shifts: Tensor | None,
    border: int,
    mean: Tensor,
    scale: Tensor,
) -> Tensor:
    """`(pixels[rows] - mean) * scale`, mirrored and shifted.

    Parameters
    ----------
    pixels: uint8 (N, H, W, 3), for which `can_batch`.
    rows: int64 (B,), each at least 0 and below N: it is not checked again.
    flips: bool (B,), mirrored left to right where set; None: none is.
    shifts: int64 (B, 2), offsets down and right in the image with `border` zeros around it;
        None: none is shifted.
    mean, scale: float32 (3,), in the pixels' units.

    Returns
    -------
    float32 (B, 3, H, W), channels last in memory.
    """
    _, height, width, _ = pixels.shape
    out = new_floats(len(rows), height, width, 3)
    call(
        "batch", "batch", pixels, rows.contiguous(), _contiguous(flips), _contiguous(shifts),
        mean.repeat(width), scale.repeat(width), out, c_int64(len(rows)), c_int64(height),
        c_int64(width), c_int64(border), torch.get_num_threads(),
    )  # fmt: skip
    return out.permute(0, 3, 1, 2)


def _contiguous(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.contiguous()
