"""What the kernels that a batch normalisation is fused into ask of the layer, and take from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unskew.kernels.formats import FOLDERS, out_of_reach

MAX_CHANNELS = 1024  # of norm_relu_pool.h and pool_norm_gelu.c


def fits(images: Tensor, norm: nn.BatchNorm2d, values: int) -> bool:
    """Whether images and layer are what the kernels compute; all else is left to PyTorch.

    Parameters
    ----------
    images: float (B, C, H, W).
    values: of a channel, over which the layer normalises; PyTorch refuses to train on one.
    """
    return (
        images.dtype in FOLDERS
        and images.device.type == "cpu"
        and images.shape[1] == norm.num_features <= MAX_CHANNELS
        and norm.affine
        and all(_readable(tensor) for tensor in (norm.weight, norm.bias, *_statistics(norm)))
        and (moves(norm) or norm.training)
        and norm.momentum is not None
        and (values > 1 if norm.training else not learns(images, norm.weight, norm.bias))
        and not out_of_reach(images)
    )


def moves(norm: nn.BatchNorm2d) -> bool:
    """Whether training moves its running statistics; SAM's second pass leaves them alone."""
    return norm.track_running_stats and norm.running_mean is not None


def running_statistics(norm: nn.BatchNorm2d) -> tuple[Tensor | None, Tensor | None]:
    """Mean and variance, float32 (C,), for a kernel to move in one step, which is counted; None:
    neither.
    """
    if not moves(norm):
        return None, None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    return norm.running_mean, norm.running_var


def _statistics(norm: nn.BatchNorm2d) -> list[Tensor]:
    return [kept for kept in (norm.running_mean, norm.running_var) if kept is not None]


def _readable(tensor: Tensor) -> bool:
    """Whether a kernel finds what it expects at the tensor's address."""
    return tensor.dtype is torch.float32 and tensor.device.type == "cpu" and tensor.is_contiguous()


def learns(*tensors: Tensor) -> bool:
    """Whether a gradient is to reach one of them."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def at_prediction(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Slope and shift, each float32 (C,), that the layer is with its running statistics."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    slope = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias.detach() - norm.running_mean * slope
    # Any NaN as the usual one: see `usual` of batch_norm.h.
    nan = slope.new_tensor(torch.nan)
    return torch.where(slope == slope, slope, nan), torch.where(shift == shift, shift, nan)
