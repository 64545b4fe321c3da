"""Memory as the kernels want it."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(images: Tensor) -> Tensor:
    """The same (B, C, H, W) numbers with the channels of a pixel side by side."""
    return images.contiguous(memory_format=torch.channels_last)


def new_numbers(dtype: torch.dtype, *size: int) -> Tensor:
    """Room for numbers in a CPU's memory, whatever PyTorch's defaults are."""
    return torch.empty(size, dtype=dtype, device="cpu")


def new_floats(*size: int) -> Tensor:
    """Room for numbers that kernels read or write as C's float."""
    return new_numbers(torch.float32, *size)


def new_bytes(*size: int) -> Tensor:
    """Room for what a kernel keeps there while it runs."""
    return new_numbers(torch.uint8, *size)


def new_images(like: Tensor, height: int, width: int, channels: int | None = None) -> Tensor:
    """Room for as many images of another size, of the same dtype, and channels if none are given;
    channels last.
    """
    size = (like.shape[0], like.shape[1] if channels is None else channels, height, width)
    return torch.empty(size, dtype=like.dtype, device="cpu", memory_format=torch.channels_last)


def new_sums(parts: int, channels: int) -> Tensor:
    """Room for two sums a channel of each thread's share."""
    return torch.empty(parts, 2, channels, dtype=torch.float64, device="cpu")
