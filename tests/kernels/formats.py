"""What a number format's kernels are held to, and how they are asked for."""

from contextlib import nullcontext

import torch


def multiplying(dtype):
    """PyTorch multiplies in `dtype` within."""
    if dtype is torch.float32:
        return nullcontext()
    return torch.autocast("cpu", dtype=dtype)
