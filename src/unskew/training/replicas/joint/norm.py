"""Batch normalisation of many networks at once, with the ReLU behind it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unskew.kernels.gpu import batch_norm, norm_pool
from unskew.training.replicas.joint.over_runs import over_runs


class Norm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) whose output has its input's number format.

    Parameters
    ----------
    norm: its parameters and buffers are taken over, under their names.
    relu: whether a ReLU follows, which then costs nothing.
    pool: whether a 2×2 max-pool follows that, which then spares most of what is written.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: _BatchNorm, relu: bool = False, pool: bool = False) -> None:
        assert norm.momentum is not None
        assert norm.track_running_stats
        assert relu or not pool
        super().__init__()
        for name, parameter in norm.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in norm.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
        self.momentum, self.eps, self.relu, self.pool = norm.momentum, norm.eps, relu, pool

    def forward(self, values: Tensor) -> Tensor:
        """(B, C) or (B, C, H, W), like the input; (B, C, H/2, W/2) with a pool."""
        if self.training:
            self.num_batches_tracked.add_(1)
        made = over_runs(
            _normalise, values, self.weight, self.bias, self.running_mean, self.running_var,
            self.momentum, self.eps, self.training, self.relu, self.pool,
        )  # fmt: skip
        pooled = made.shape != values.shape
        return F.max_pool2d(made, 2) if self.pool and not pooled else made


def _normalise(
    values: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
    momentum: float, eps: float, training: bool, relu: bool, pool: bool,
) -> Tensor:  # fmt: skip
    """(R, B, C) or (R, B, C, H, W), pooled where a kernel can."""
    by_pixel = (values if values.dim() == 3 else values.permute(0, 1, 3, 4, 2)).contiguous()
    bias, pooled = bias.contiguous(), pool and norm_pool.takes(by_pixel)
    if training:
        made, mean, variance = _Normalise.apply(by_pixel, weight, bias, eps, relu, pooled)
        count = by_pixel[0].numel() // by_pixel.shape[-1]
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
    else:
        assert not torch.is_grad_enabled()
        scale = weight * (running_var + eps).rsqrt()
        made = _apply(by_pixel, running_mean.contiguous(), scale, bias, relu, pooled)
    return made if values.dim() == 3 else made.permute(0, 1, 4, 2, 3)


def _apply(
    values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor, relu: bool, pooled: bool
) -> Tensor:
    if pooled:
        return norm_pool.normalise(values, mean, scale, bias)
    return batch_norm.normalise(_rows(values), mean, scale, bias, relu).view(values.shape)


class _Normalise(torch.autograd.Function):
    """Values (R, ..., C), weights and biases float32 (R, C), to values, and means and variances.

    With x̂ = (x - μ)/σ and y = γ·x̂ + β, a gradient g at y gives Σg at β, Σ(g·x̂) at γ, and
    γ/σ·(g - mean(g) - x̂·mean(g·x̂)) at x (Ioffe & Szegedy 2015, section 3).
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, eps: float, relu: bool, pooled: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = batch_norm.moments(_rows(values))
        inverse = (variance + eps).rsqrt()
        scale = weight * inverse
        ctx.save_for_backward(values, mean, inverse, scale, bias)
        ctx.relu, ctx.pooled = relu, pooled
        ctx.mark_non_differentiable(mean, variance)
        return _apply(values, mean, scale, bias, relu, pooled), mean, variance

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, *statistics: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        values, mean, inverse, scale, bias = ctx.saved_tensors
        gradient, rows = gradient.contiguous(), _rows(values)
        count = rows.shape[1]
        if ctx.pooled:
            of = gradient, values, mean, scale, bias
            sums, products = norm_pool.gradient_sums(*of)
            slope = inverse.square() * products / count
            at_values = norm_pool.gradient_at_values(*of, sums / count, slope)
        else:
            of = _rows(gradient), rows, mean, scale, bias
            sums, products = batch_norm.gradient_sums(*of, ctx.relu)
            slope = inverse.square() * products / count
            at_rows = batch_norm.gradient_at_values(*of, sums / count, slope, ctx.relu)
            at_values = at_rows.view(values.shape)
        return at_values, inverse * products, sums, None, None, None


def _rows(values: Tensor) -> Tensor:
    """(R, ..., C) as (R, N, C)."""
    return values.view(len(values), -1, values.shape[-1])
