"""3×3 convolutions by the fewest multiply-adds, or the cheapest."""

from __future__ import annotations

from ctypes import c_int64
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.kernels.call import ask, call, room
from unskew.kernels.formats import GRADIENT, multiplied_in, source
from unskew.kernels.layout import channels_last, new_floats, new_images
from unskew.kernels.library import load


def convolve(images: Tensor, convolution: nn.Conv2d) -> Tensor:
    """`convolution(images)` by Winograd's algorithm (Lavin & Gray 2016) or in matrix tiles.

    In float32 it is F(4×4, 3×3), which takes 36 multiply-adds where the definition takes 144, with
    errors of 1e-6 of a result and 1e-5 of a filter's gradient. In bfloat16 it is F(2×2, 3×3), 16
    where the definition takes 36, at the price of two more roundings: relative to the exact result
    the error is 0.4 % instead of 0.24 %. A processor with AMX multiplies bfloat16 so fast that the
    definition itself is faster; there it is that, rounded once.

    The kernels act where PyTorch would multiply in one of the two formats on the CPU and the
    convolution is 3×3 with stride 1, padding 1 and no bias. Channels are taken by 32 in bfloat16,
    in float32 by 8, 16 or 32, as wide as the processor is: a multiple of that out and, but for up
    to a third of them that zeros can make up, in. All else is left to PyTorch.

    Parameters
    ----------
    images: float (B, K, H, W).
    convolution: its weight is float32 (N, K, 3, 3).

    Returns
    -------
    (B, N, H, W), under autocast bfloat16, and channels last in memory. A NaN stays one and reaches
    the tiles around it.
    """
    dtype = multiplied_in(images)
    if dtype is None or not _fits(images, convolution, dtype):
        plain: Tensor = convolution(images)
        return plain
    weight, missing = convolution.weight, -convolution.in_channels % channels_at_once(dtype)
    if missing:
        images, weight = (F.pad(tensor, (0, 0, 0, 0, 0, missing)) for tensor in (images, weight))
    convolved: Tensor = _Convolution.apply(images, weight, dtype, torch.is_grad_enabled())
    return convolved


def _fits(images: Tensor, convolution: nn.Conv2d, dtype: torch.dtype) -> bool:
    return (
        load(source("convolution", dtype)).functions is not None
        and load(source("convolution_gradient", dtype)).functions is not None
        and images.dim() == 4
        and images.shape[1] == convolution.in_channels
        and min(images.shape[2:]) > 0
        and convolution.kernel_size == (3, 3)
        and convolution.stride == (1, 1)
        and convolution.padding in ((1, 1), "same")
        and convolution.padding_mode == "zeros"
        and convolution.dilation == (1, 1)
        and convolution.groups == 1
        and convolution.bias is None
        and convolution.weight.dtype is torch.float32
        and convolution.weight.device == images.device
        and -convolution.in_channels % channels_at_once(dtype) * 3 <= convolution.in_channels
        and convolution.out_channels % channels_at_once(dtype) == 0
    )


def channels_at_once(dtype: torch.dtype) -> int:
    """What numbers of channels must be multiples of, the width of a tile of the products; 0 where
    there are no kernels.
    """
    if load(source("convolution", dtype)).functions is None:
        return 0
    return ask(source("convolution", dtype), "channels_at_once")


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, dtype: torch.dtype, keep: bool) -> Tensor:
        images, kernels = channels_last(images.to(dtype)), source("convolution", dtype)
        numbers = ask(kernels, "places") * weight[:, :, 0, 0].numel()
        forward, between = images.new_empty(2, numbers)
        backward = torch.empty_like(forward) if keep and ctx.needs_input_grad[0] else None
        call(
            kernels, "transform_filters", channels_last(weight), between, forward, backward,
            c_int64(weight.shape[1]), c_int64(weight.shape[0]),
        )  # fmt: skip
        if keep:
            ctx.save_for_backward(images, backward)
            ctx.kernels = kernels
        return _products(kernels, images, forward, weight.shape[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, filters = ctx.saved_tensors
        gradient, kernels = channels_last(gradient), ctx.kernels
        back = weight = None
        if filters is not None:
            back = _products(kernels, gradient, filters, images.shape[1])
        if ctx.needs_input_grad[1]:
            weight = _filter_gradient(kernels, images, gradient)
        return back, weight, None, None


def _products(kernels: str, images: Tensor, filters: Tensor, outgoing: int) -> Tensor:
    """Images convolved with filters that these kernels have transformed."""
    batch, incoming, height, width = images.shape
    parts = torch.get_num_threads()
    out = new_images(images, height, width, outgoing)
    sizes = [c_int64(size) for size in (height, width, incoming, outgoing)]
    call(
        kernels, "convolve", images, filters, *room(kernels, parts, *sizes), out,
        c_int64(batch), *sizes, parts,
    )  # fmt: skip
    return out


def _filter_gradient(kernels: str, images: Tensor, gradient: Tensor) -> Tensor:
    """With respect to the weight, float32 (N, K, 3, 3), channels last in memory."""
    batch, incoming, height, width = images.shape
    outgoing, parts = gradient.shape[1], torch.get_num_threads()
    sums = new_floats(parts, ask(kernels, "places"), outgoing, incoming)
    kernels += GRADIENT
    out = new_floats(outgoing, 3, 3, incoming).permute(0, 3, 1, 2)
    sizes = [c_int64(size) for size in (height, width, incoming, outgoing)]
    call(
        kernels, "filter_gradient", images, gradient, *room(kernels, parts, *sizes), sums, out,
        c_int64(batch), *sizes, parts,
    )  # fmt: skip
    return out
