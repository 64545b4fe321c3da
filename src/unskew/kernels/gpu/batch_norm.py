"""Batch normalisation of many networks at once, with the ReLU behind it.

Activations are rows (R, N, C): of each of R networks N positions of C channels. Statistics and
sums are float32, whatever the activations' number format.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unskew.kernels.gpu.triton_at_hand import takes


def moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (biased) of each channel, float32 (R, C), of contiguous (R, N, C)."""
    shift = values[:, 0].float().contiguous()
    if takes(values):
        from unskew.kernels.gpu.in_triton import batch_norm as in_triton

        sums, squares = in_triton.sums_about(values, shift)
    else:
        apart = values.float() - shift[:, None]
        sums, squares = apart.sum(dim=1), apart.square().sum(dim=1)
    # About any one value, so that little is lost where the mean is far from zero.
    mean = sums / values.shape[1]
    variance = (squares / values.shape[1] - mean.square()).clamp_(min=0)
    return shift + mean, variance


def normalise(values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor, relu: bool) -> Tensor:
    """(values - mean)·scale + bias, zero where that is negative if `relu`; like `values`.

    Parameters
    ----------
    values: contiguous (R, N, C).
    mean, scale, bias: contiguous float32 (R, C).
    """
    if takes(values):
        from unskew.kernels.gpu.in_triton import batch_norm as in_triton

        return in_triton.normalise(values, mean, scale, bias, relu)
    made = torch.addcmul(bias[:, None], values.float() - mean[:, None], scale[:, None])
    return (made.relu_() if relu else made).to(values.dtype)


def gradient_sums(
    gradient: Tensor, values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor, relu: bool
) -> tuple[Tensor, Tensor]:
    """Sums over positions of the gradient and of its product with values - mean, float32 (R, C).

    Where the ReLU has let nothing through the gradient counts as zero.

    Parameters
    ----------
    gradient: contiguous (R, N, C), at the result of `normalise`; the others as there.
    """
    if takes(values):
        from unskew.kernels.gpu.in_triton import batch_norm as in_triton

        return in_triton.gradient_sums(gradient, values, mean, scale, bias, relu)
    apart = values.float() - mean[:, None]
    passed = _passed(gradient, apart, scale, bias, relu)
    return passed.sum(dim=1), (passed * apart).sum(dim=1)


def gradient_at_values(
    gradient: Tensor,
    values: Tensor,
    mean: Tensor,
    scale: Tensor,
    bias: Tensor,
    shift: Tensor,
    slope: Tensor,
    relu: bool,
) -> Tensor:
    """scale·(gradient - shift - slope·(values - mean)), like `values`.

    Parameters
    ----------
    shift, slope: contiguous float32 (R, C); the others as `gradient_sums` takes them.
    """
    if takes(values):
        from unskew.kernels.gpu.in_triton import batch_norm as in_triton

        return in_triton.gradient_at_values(gradient, values, mean, scale, bias, shift, slope, relu)
    apart = values.float() - mean[:, None]
    passed = _passed(gradient, apart, scale, bias, relu)
    left = passed - shift[:, None] - slope[:, None] * apart
    return (scale[:, None] * left).to(values.dtype)


def _passed(gradient: Tensor, apart: Tensor, scale: Tensor, bias: Tensor, relu: bool) -> Tensor:
    if not relu:
        return gradient.float()
    hidden = torch.addcmul(bias[:, None], apart, scale[:, None]) <= 0
    return gradient.float().masked_fill(hidden, 0.0)
