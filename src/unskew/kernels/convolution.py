"""3×3 convolutions with fewer multiply-adds than their definition has."""

from __future__ import annotations

from ctypes import c_int64
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.kernels.call import call
from unskew.kernels.formats import multiplied_in, source
from unskew.kernels.layout import channels_last, new_floats, new_images
from unskew.kernels.library import load


@dataclass(frozen=True)
class _Form:
    """Winograd's algorithm as the kernels of one number format have it.

    Attributes
    ----------
    tile: pixels of a side of what is computed at once.
    tiles: that a thread multiplies at once, at least.
    room: bytes of a thread's transformed tiles, at least: a quarter of the second cache of today's
        processors.
    """

    dtype: torch.dtype
    tile: int
    tiles: int
    room: int = 256 << 10

    @property
    def places(self) -> int:
        """Products of matrices, one for each pixel of a patch."""
        return (self.tile + 2) ** 2


_FORMS = {
    torch.bfloat16: _Form(torch.bfloat16, tile=2, tiles=1),
    torch.float32: _Form(torch.float32, tile=4, tiles=24),
}


def convolve(images: Tensor, convolution: nn.Conv2d) -> Tensor:
    """`convolution(images)` by Winograd's algorithm (Lavin & Gray 2016).

    In bfloat16 it is F(2×2, 3×3), which takes 16 multiply-adds where the definition takes 36, at
    the price of two more roundings: relative to the exact result the error is 0.4 % instead of
    0.24 %. In float32 it is F(4×4, 3×3), 36 where the definition takes 144, with errors of 1e-6 of
    a result and 1e-5 of a filter's gradient. The kernels act where PyTorch would multiply in one of
    the two on the CPU and the convolution is 3×3 with stride 1, padding 1 and no bias. Channels are
    taken by 32 in bfloat16, in float32 by 8, 16 or 32, as wide as the processor is: a multiple of
    that out and, but for up to a third of them that zeros can make up, in. All else is left to
    PyTorch.

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
        load(source("winograd", dtype)).functions is not None
        and load(source("winograd_gradient", dtype)).functions is not None
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
    if dtype is torch.bfloat16:
        return 32
    kernels = load(source("winograd", dtype)).functions
    return 0 if kernels is None else int(kernels.channels_at_once())


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, dtype: torch.dtype, keep: bool) -> Tensor:
        images, form = channels_last(images.to(dtype)), _FORMS[dtype]
        forward, room = images.new_empty(2, form.places * weight[:, :, 0, 0].numel())
        backward = torch.empty_like(room) if keep and ctx.needs_input_grad[0] else None
        call(
            source("winograd", dtype), "transform_filters", channels_last(weight), room,
            forward, backward,
            c_int64(weight.shape[1]), c_int64(weight.shape[0]),
        )  # fmt: skip
        if keep:
            ctx.save_for_backward(images, backward)
        return _products(images, forward, weight.shape[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, filters = ctx.saved_tensors
        gradient = channels_last(gradient)
        back = None if filters is None else _products(gradient, filters, images.shape[1])
        weight = _filter_gradient(images, gradient) if ctx.needs_input_grad[1] else None
        return back, weight, None, None


def _products(images: Tensor, filters: Tensor, outgoing: int) -> Tensor:
    """Images convolved with transformed filters."""
    batch, incoming, height, width = images.shape
    form = _FORMS[images.dtype]
    out = new_images(images, height, width, outgoing)
    room, parts = _room(form, images, incoming, outgoing), torch.get_num_threads()
    call(
        source("winograd", form.dtype), "convolve", images, filters, _bytes(parts * room),
        c_int64(room), out, *map(c_int64, (batch, height, width, incoming, outgoing)), parts,
    )  # fmt: skip
    return out


def _filter_gradient(images: Tensor, gradient: Tensor) -> Tensor:
    """With respect to the weight, float32 (N, K, 3, 3), channels last in memory."""
    batch, incoming, height, width = images.shape
    outgoing, form = gradient.shape[1], _FORMS[images.dtype]
    room, parts = _room(form, images, incoming, outgoing), torch.get_num_threads()
    sums = new_floats(parts, form.places, outgoing, incoming)
    out = channels_last(new_floats(outgoing, incoming, 3, 3))
    call(
        source("winograd_gradient", form.dtype), "filter_gradient", images, gradient,
        _bytes(parts * room), c_int64(room), sums, out,
        *map(c_int64, (batch, height, width, incoming, outgoing)), parts,
    )  # fmt: skip
    return out


def _room(form: _Form, images: Tensor, incoming: int, outgoing: int) -> int:
    """Bytes of one thread's transformed tiles, for one row of them at least.

    Products are float32 whatever the format; beside them lie a row of zeros and, between places,
    at most a line of 64 bytes. Tiles may be taken in pairs.
    """
    width = images.shape[3]
    tiles = max(form.tiles, -(-width // form.tile) + 1)
    wanted = form.places * (4 * tiles * (incoming + outgoing) + 128)
    return max(form.room, wanted + 4 * width * max(incoming, outgoing))


def _bytes(count: int) -> Tensor:
    return torch.empty(count, dtype=torch.uint8, device="cpu")
