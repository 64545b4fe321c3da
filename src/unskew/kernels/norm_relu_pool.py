"""Batch normalisation, ReLU and a shortcut or a 2×2 max-pool in one pass over memory."""

from __future__ import annotations

from ctypes import c_float, c_int64
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.kernels.batch_norm import at_prediction, fits, learns, running_statistics
from unskew.kernels.call import call
from unskew.kernels.formats import source
from unskew.kernels.layout import channels_last, new_floats, new_images, new_sums
from unskew.kernels.library import load


def norm_relu_pool(
    images: Tensor, norm: nn.BatchNorm2d, pool: bool = False, shortcut: Tensor | None = None
) -> Tensor:
    """`relu(norm(images) + shortcut)`, or `max_pool2d(relu(norm(images)), 2)`, in either mode.

    In training mode the layer's running statistics move as PyTorch moves them. What the kernels
    do not do (a dtype other than bfloat16 and float32, a pool of odd sides, a gradient in
    evaluation mode) is left to PyTorch.

    Parameters
    ----------
    images: float (B, C, H, W).
    norm: with float32 parameters.
    pool: not together with a shortcut.
    shortcut: like `images`, added before the ReLU (He et al. 2016, equation 1).

    Returns
    -------
    Like `images`, (B, C, H, W) or (B, C, H // 2, W // 2), channels last in memory. A NaN stays
    one.
    """
    assert not (pool and shortcut is not None)
    if not _fits(images, norm, shortcut, pool):
        plain = F.relu(norm(images) if shortcut is None else norm(images) + shortcut)
        return F.max_pool2d(plain, 2) if pool else plain
    if norm.training:
        trained: Tensor = _Training.apply(images, shortcut, norm.weight, norm.bias, norm, pool)
        return trained
    slope, shift = at_prediction(norm)
    predicted: Tensor = _Affine.apply(images, shortcut, slope, shift, pool)
    return predicted


def _fits(images: Tensor, norm: nn.BatchNorm2d, shortcut: Tensor | None, pool: bool) -> bool:
    batch, _, height, width = images.shape
    return (
        fits(images, norm, batch * height * width)
        and not (pool and (height % 2 or width % 2))
        and (shortcut is None or (shortcut.dtype, shortcut.shape) == (images.dtype, images.shape))
        and not (shortcut is not None and not norm.training and learns(shortcut))
        and load(source("norm_relu_pool", images.dtype)).functions is not None
    )


class _Training(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        shortcut: Tensor | None,
        gamma: Tensor,
        beta: Tensor,
        norm: nn.BatchNorm2d,
        pool: bool,
    ) -> Tensor:
        images = channels_last(images)
        shortcut = None if shortcut is None else channels_last(shortcut)
        out, rows, width = _output(images, pool)
        channels, parts = images.shape[1], torch.get_num_threads()
        saved = new_floats(4, channels)
        call(
            source("norm_relu_pool", images.dtype), "forward_training",
            images, shortcut, gamma, beta, *running_statistics(norm),
            c_float(norm.momentum or 0.0), c_float(norm.eps), saved,
            new_sums(parts, channels), out, c_int64(rows), width, channels, parts,
        )  # fmt: skip
        ctx.save_for_backward(images, saved, None if shortcut is None else out)
        ctx.size = rows, width
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, saved, out = ctx.saved_tensors
        rows, width = ctx.size
        gradient = channels_last(gradient)
        shortcut = None if out is None else torch.empty_like(images)
        channels, parts = images.shape[1], torch.get_num_threads()
        back, gamma, beta = torch.empty_like(images), *new_floats(2, channels)
        call(
            source("norm_relu_pool", images.dtype), "backward_training",
            images, gradient, out, saved, new_sums(parts, channels), new_floats(2, channels),
            back, shortcut, gamma, beta, c_int64(rows), width, channels, parts,
        )  # fmt: skip
        return back, shortcut, gamma, beta, None, None


class _Affine(torch.autograd.Function):
    """relu(a x + b + shortcut), or that and pool, for prediction: it has no gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        shortcut: Tensor | None,
        slope: Tensor,
        shift: Tensor,
        pool: bool,
    ) -> Tensor:
        images = channels_last(images)
        shortcut = None if shortcut is None else channels_last(shortcut)
        out, rows, width = _output(images, pool)
        call(
            source("norm_relu_pool", images.dtype), "forward",
            images, shortcut, slope, shift, out, c_int64(rows), width, images.shape[1],
            torch.get_num_threads(),
        )  # fmt: skip
        ctx.mark_non_differentiable(out)
        return out


def _output(images: Tensor, pool: bool) -> tuple[Tensor, int, int]:
    """(room for the result, rows of C values, image width or 0 without pool)."""
    batch, _, height, width = images.shape
    halves = 2 if pool else 1
    out = new_images(images, height // halves, width // halves)
    return out, batch * height * width, width if pool else 0
