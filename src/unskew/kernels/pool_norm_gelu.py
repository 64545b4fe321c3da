"""A 2×2 max-pool, batch normalisation and GELU in as few passes over memory as can be."""

from __future__ import annotations

from ctypes import c_float, c_int64
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.kernels.batch_norm import at_prediction, fits, running_statistics
from unskew.kernels.call import call
from unskew.kernels.formats import source
from unskew.kernels.layout import channels_last, new_floats, new_images, new_sums
from unskew.kernels.library import load

LANES = 16
"""Channels that the kernels take at once."""


def pool_norm_gelu(images: Tensor, norm: nn.BatchNorm2d, pool: bool = False) -> Tensor:
    """`gelu(norm(max_pool2d(images, 2)))`, or `gelu(norm(images))`, in either mode.

    In training mode the layer's running statistics move as PyTorch moves them. What the kernels
    do not do (a dtype other than bfloat16 and float32, a number of channels that is no multiple of
    `LANES`, a gradient in evaluation mode) is left to PyTorch.

    Parameters
    ----------
    images: float (B, C, H, W); with `pool`, H and W are 2 at least, and where they are odd the last
        row or column is left out.
    norm: with float32 parameters.

    Returns
    -------
    Like `images`, (B, C, H, W) or (B, C, H // 2, W // 2), channels last in memory. A NaN stays one.
    """
    if not _fits(images, norm, pool):
        return F.gelu(norm(F.max_pool2d(images, 2) if pool else images))
    if norm.training:
        trained: Tensor = _Training.apply(images, norm.weight, norm.bias, norm, pool)
        return trained
    slope, shift = at_prediction(norm)
    predicted: Tensor = _Affine.apply(images, slope, shift, pool)
    return predicted


def _fits(images: Tensor, norm: nn.BatchNorm2d, pool: bool) -> bool:
    batch, _, height, width = images.shape
    values = batch * (height // 2) * (width // 2) if pool else batch * height * width
    return (
        fits(images, norm, values)
        and norm.num_features % LANES == 0
        and load(source("pool_norm_gelu", images.dtype)).functions is not None
    )


class _Training(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, gamma: Tensor, beta: Tensor, norm: nn.BatchNorm2d, pool: bool
    ) -> Tensor:
        images = channels_last(images)
        out = _output(images, pool)
        pooled = torch.empty_like(out) if pool else None
        chosen = torch.empty_like(out, dtype=torch.uint8) if pool else None
        channels, parts = images.shape[1], torch.get_num_threads()
        saved = new_floats(4, channels)
        call(
            source("pool_norm_gelu", images.dtype), "forward_training",
            images, gamma, beta, *running_statistics(norm),
            c_float(norm.momentum or 0.0), c_float(norm.eps), saved, new_sums(parts, channels),
            pooled, chosen, out, *_size(images), parts,
        )  # fmt: skip
        ctx.save_for_backward(images if pooled is None else pooled, chosen, saved)
        ctx.height, ctx.width = images.shape[2:]
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        pooled, chosen, saved = ctx.saved_tensors
        gradient = channels_last(gradient)
        back = new_images(pooled, ctx.height, ctx.width)
        through = back if chosen is None else torch.empty_like(pooled)
        channels, parts = pooled.shape[1], torch.get_num_threads()
        gamma, beta = new_floats(2, channels)
        call(
            source("pool_norm_gelu", pooled.dtype), "backward_training",
            pooled, chosen, gradient, saved, new_sums(parts, channels), new_floats(2, channels),
            through, back, gamma, beta, *_size(back), parts,
        )  # fmt: skip
        return back, gamma, beta, None, None


class _Affine(torch.autograd.Function):
    """gelu(a x + b), of pooled images if wanted, for prediction: it has no gradient."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, slope: Tensor, shift: Tensor, pool: bool) -> Tensor:
        images = channels_last(images)
        out = _output(images, pool)
        call(
            source("pool_norm_gelu", images.dtype), "forward",
            images, slope, shift, out, int(pool), *_size(images), torch.get_num_threads(),
        )  # fmt: skip
        ctx.mark_non_differentiable(out)
        return out


def _output(images: Tensor, pool: bool) -> Tensor:
    height, width = images.shape[2:]
    return new_images(images, height // 2, width // 2) if pool else torch.empty_like(images)


def _size(images: Tensor) -> list[c_int64]:
    """B, H, W and C for the kernels."""
    batch, channels, height, width = images.shape
    return [c_int64(number) for number in (batch, height, width, channels)]
