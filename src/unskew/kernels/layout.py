"""Memory as the kernels want it."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(images: Tensor) -> Tensor:
    """The same (B, C, H, W) numbers with the channels of a pixel side by side."""
    return images.contiguous(memory_format=torch.channels_last)


def new_images(like: Tensor, height: int, width: int) -> Tensor:
    """Room for as many images of another size, of the same dtype and channels, channels last."""
    size = (*like.shape[:2], height, width)
    return torch.empty(size, dtype=like.dtype, memory_format=torch.channels_last)


def new_sums(parts: int, channels: int) -> Tensor:
    """Room for two sums a channel of each thread's share."""
    return torch.empty(parts, 2, channels, dtype=torch.float64)
