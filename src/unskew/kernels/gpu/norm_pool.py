"""Batch normalisation, ReLU and a 2×2 max-pool of many networks at once.

The activations before the pool are never written: each pass reads the convolution's output and
makes of four pixels' normalised values what it needs. By PyTorch's operators this is three layers,
so there are only Triton's kernels; who has none calls `batch_norm` and PyTorch's pool.

Values are contiguous (R, B, H, W, C), H and W even; mean, scale, bias and the like contiguous
float32 (R, C), as in `batch_norm`. A gradient counts for the window's largest value, the first of
several, and for none where the ReLU has let nothing through.
"""

from __future__ import annotations

from torch import Tensor

from unskew.kernels.gpu import triton_at_hand
from unskew.kernels.gpu.batch_norm import Slopes, Statistics


def takes(values: Tensor) -> bool:
    """Whether the kernels are for activations (R, B, H, W, C)."""
    return values.shape[2] % 2 == 0 and values.shape[3] % 2 == 0 and triton_at_hand.takes(values)


def normalise(values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """The largest (values - mean)·scale + bias of each window, or zero: (R, B, H/2, W/2, C)."""
    from unskew.kernels.gpu.in_triton import norm_pool as in_triton

    return in_triton.normalise(values, mean, scale, bias)


def slopes(gradient: Tensor, values: Tensor, of: Statistics) -> Slopes:
    """As `batch_norm.slopes`, of a gradient (R, B, H/2, W/2, C) at the result above."""
    from unskew.kernels.gpu.in_triton import norm_pool as in_triton

    return Slopes(*in_triton.slopes(gradient, values, *of))


def gradient_at_values(
    gradient: Tensor,
    values: Tensor,
    mean: Tensor,
    scale: Tensor,
    bias: Tensor,
    shift: Tensor,
    slope: Tensor,
) -> Tensor:
    """As `batch_norm.gradient_at_values`, of such a gradient."""
    from unskew.kernels.gpu.in_triton import norm_pool as in_triton

    return in_triton.gradient_at_values(gradient, values, mean, scale, bias, shift, slope)
