"""Batch normalisation of many networks at once, with the ReLU behind it.

Activations are rows (R, N, C): of each of R networks N positions of C channels. Statistics and
sums are float32, whatever the activations' number format.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from unskew.kernels.gpu.triton_at_hand import takes


class Statistics(NamedTuple):
    """What normalises a batch, contiguous float32 (R, C) each.

    Attributes
    ----------
    mean, inverse: μ of each channel, and 1/σ.
    scale, bias: γ/σ and β.
    """

    mean: Tensor
    inverse: Tensor
    scale: Tensor
    bias: Tensor


class Slopes(NamedTuple):
    """What a gradient at a norm's result comes to, contiguous float32 (R, C) each.

    Attributes
    ----------
    at_weight, at_bias: the gradients at γ and β: Σ(g·x̂) and Σg, with x̂ = (x - μ)/σ.
    shift, slope: mean(g) and mean(g·x̂)/σ: the gradient at x is γ/σ·(g - shift - slope·(x - μ))
        (Ioffe & Szegedy 2015, section 3).
    """

    at_weight: Tensor
    at_bias: Tensor
    shift: Tensor
    slope: Tensor


def statistics(
    values: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
    momentum: float, eps: float,
) -> Statistics:  # fmt: skip
    """Of contiguous values (R, N, C).

    Parameters
    ----------
    weight, bias: float32 (R, C), γ and β; the last dimension is contiguous.
    running_mean, running_var: contiguous float32 (R, C); moved towards the batch's mean and
        unbiased variance.
    """
    if takes(values):
        from unskew.kernels.gpu.in_triton import batch_norm as in_triton

        return Statistics(*in_triton.statistics(
            values, weight, bias, running_mean, running_var, momentum, eps
        ))  # fmt: skip
    count = values.shape[1]
    # About any one value, so that little is lost where the mean is far from zero.
    shift = values[:, 0].float()
    apart = values.float() - shift[:, None]
    mean = apart.mean(dim=1)
    variance = (apart.square().mean(dim=1) - mean.square()).clamp_(min=0)
    mean = shift + mean
    running_mean.lerp_(mean, momentum)
    running_var.lerp_(variance * (count / (count - 1)), momentum)
    inverse = (variance + eps).rsqrt()
    return Statistics(mean, inverse, weight * inverse, bias.contiguous())


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


def slopes(gradient: Tensor, values: Tensor, of: Statistics, relu: bool) -> Slopes:
    """Of a gradient at the result of `normalise`.

    Where the ReLU has let nothing through the gradient counts as zero.

    Parameters
    ----------
    gradient, values: contiguous (R, N, C).
    """
    if takes(values):
        from unskew.kernels.gpu.in_triton import batch_norm as in_triton

        return Slopes(*in_triton.slopes(gradient, values, *of, relu))
    apart = values.float() - of.mean[:, None]
    passed = _passed(gradient, apart, of.scale, of.bias, relu)
    sums, products = passed.sum(dim=1), (passed * apart).sum(dim=1) * of.inverse
    count = values.shape[1]
    return Slopes(products, sums, sums / count, of.inverse * products / count)


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
    """scale·(gradient - shift - slope·(values - mean)), like `values`, with the same ReLU.

    Parameters
    ----------
    mean, scale, bias, shift, slope: of `Statistics` and `Slopes`.
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
