"""What the kernels that a batch normalisation is fused into ask of the layer, and take from it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MAX_CHANNELS = 1024  # of norm_relu_pool.c and pool_norm_gelu.c


def fits(images: Tensor, norm: nn.BatchNorm2d) -> bool:
    """Whether images and layer are what the kernels compute; all else is left to PyTorch."""
    return (
        images.dtype is torch.bfloat16
        and images.device.type == "cpu"
        and norm.num_features <= MAX_CHANNELS
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and (norm.training or not images.requires_grad)
    )


def at_prediction(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Slope and shift, each float32 (C,), that the layer is with its running statistics."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    slope = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return slope.detach(), (norm.bias - norm.running_mean * slope).detach()
