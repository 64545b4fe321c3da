"""What the kernels that a batch normalisation is fused into ask of the layer, and take from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unskew.kernels.formats import FOLDERS

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
        and norm.weight.dtype is torch.float32
        and norm.weight.device == images.device
        and norm.track_running_stats
        and norm.momentum is not None
        and (values > 1 if norm.training else not learns(images, norm.weight, norm.bias))
    )


def learns(*tensors: Tensor) -> bool:
    """Whether a gradient is to reach one of them."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def at_prediction(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Slope and shift, each float32 (C,), that the layer is with its running statistics."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    slope = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return slope.detach(), (norm.bias - norm.running_mean * slope).detach()
