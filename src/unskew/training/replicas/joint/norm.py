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
    norm: its parameters and buffers are taken over, under their names; but who trains counts the
        batches, for all norms at once.
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
    pooled = pool and norm_pool.takes(by_pixel)
    if training:
        made: Tensor = _Normalise.apply(
            by_pixel, weight, bias, running_mean, running_var, momentum, eps, relu, pooled
        )
    else:
        assert not torch.is_grad_enabled()
        scale = weight * (running_var + eps).rsqrt()
        made = _apply(by_pixel, running_mean.contiguous(), scale, bias.contiguous(), relu, pooled)
    return made if values.dim() == 3 else made.permute(0, 1, 4, 2, 3)


def _apply(
    values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor, relu: bool, pooled: bool
) -> Tensor:
    if pooled:
        return norm_pool.normalise(values, mean, scale, bias)
    return batch_norm.normalise(_rows(values), mean, scale, bias, relu).view(values.shape)


class _Normalise(torch.autograd.Function):
    """Values (R, ..., C) and what `batch_norm.statistics` takes, to values, pooled or not."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor,
        running_var: Tensor, momentum: float, eps: float, relu: bool, pooled: bool,
    ) -> Tensor:  # fmt: skip
        of = batch_norm.statistics(
            _rows(values), weight, bias, running_mean, running_var, momentum, eps
        )
        ctx.save_for_backward(values, *of)
        ctx.relu, ctx.pooled = relu, pooled
        return _apply(values, of.mean, of.scale, of.bias, relu, pooled)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, *rest = ctx.saved_tensors
        of, gradient = batch_norm.Statistics(*rest), gradient.contiguous()
        settings = of.mean, of.scale, of.bias
        if ctx.pooled:
            found = norm_pool.slopes(gradient, values, of)
            at_values = norm_pool.gradient_at_values(
                gradient, values, *settings, found.shift, found.slope
            )
        else:
            gradient, rows = _rows(gradient), _rows(values)
            found = batch_norm.slopes(gradient, rows, of, ctx.relu)
            at_values = batch_norm.gradient_at_values(
                gradient, rows, *settings, found.shift, found.slope, ctx.relu
            ).view(values.shape)
        return at_values, found.at_weight, found.at_bias, *(None,) * 6


def _rows(values: Tensor) -> Tensor:
    """(R, ..., C) as (R, N, C)."""
    return values.view(len(values), -1, values.shape[-1])
