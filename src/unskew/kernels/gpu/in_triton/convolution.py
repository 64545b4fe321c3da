"""`convolution`'s products, as implicit matrix products: nothing is unfolded in memory.

A pixel of the result is a row; for each of the nine taps the rows' input pixels, C channels each,
are multiplied with that tap's weights.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

PIXELS = 128
"""Of the result, that a program computes."""
SUMMED = 64
"""Pixels whose products are summed at a time, for gradients at weights."""
TILES = 32
"""So many times after one another by one program, whose sums are then few beside the pixels."""


def convolve(
    images: Tensor, weight: Tensor, stride: int, padding: int, turned: bool = False
) -> Tensor:
    """As `convolution.convolve`.

    Parameters
    ----------
    turned: with the weights (R, C, O, 3, 3) of a convolution the other way, each filter's taps in
        reverse order, as its gradient has them.
    """
    runs, batch, channels, height, width = images.shape
    outputs = weight.shape[2 if turned else 1]
    tall, wide = _side(height, stride, padding), _side(width, stride, padding)
    made = images.new_empty(runs, batch, tall, wide, outputs)
    pixels = batch * tall * wide
    inner, outer = _block(channels, 64), _block(outputs, 128)
    grid = (triton.cdiv(pixels, PIXELS), triton.cdiv(outputs, outer), runs)
    # Of the weights' memory: steps from output to output, tap to tap, channel to channel.
    steps = (1, -outputs, 9 * outputs) if turned else (9 * channels, channels, 1)
    _convolve[grid](
        images, weight, made, pixels, tall, wide, height, width, channels, outputs,
        stride, padding, images.stride(0), 8 * outputs if turned else 0, *steps,
        PIXELS=PIXELS, BLOCKS=triton.cdiv(channels, inner), INNER=inner, OUTER=outer,
        num_warps=8 if outer > 64 else 4, num_stages=3,
    )  # fmt: skip
    return made.permute(0, 1, 4, 2, 3)


def weight_gradient(images: Tensor, gradient: Tensor, stride: int, padding: int) -> Tensor:
    """As `convolution.weight_gradient`."""
    runs, batch, channels, height, width = images.shape
    outputs, tall, wide = gradient.shape[2:]
    pixels = batch * tall * wide
    inner, outer = _block(channels, 64), _block(outputs, 128)
    blocks = triton.cdiv(channels, inner) * triton.cdiv(outputs, outer)
    shares = triton.cdiv(pixels, TILES * SUMMED)
    partial = images.new_empty(runs, shares, outputs, 3, 3, channels, dtype=torch.float32)
    _weight_gradient[shares, 3 * blocks, runs](
        images, gradient, partial, pixels, tall, wide, height, width, channels, outputs,
        stride, padding, images.stride(0), gradient.stride(0),
        TILES=TILES, PIXELS=SUMMED, INNER=inner, OUTER=outer,
        num_warps=8 if outer * inner > 64 * 64 else 4, num_stages=3,
    )  # fmt: skip
    summed = partial[:, 0] if shares == 1 else partial.sum(dim=1)
    return summed.permute(0, 1, 4, 2, 3)


def _side(length: int, stride: int, padding: int) -> int:
    return (length + 2 * padding - 3) // stride + 1


def _block(channels: int, most: int) -> int:
    """A power of two; a product of matrix units has 16 rows and columns at least."""
    return max(min(triton.next_power_of_2(channels), most), 16)


@triton.jit
def _convolve(
    images, weight, made, pixels, tall, wide, height, width, channels, outputs,
    stride, padding, images_run, first_tap, by_output, by_tap, by_channel,
    PIXELS: tl.constexpr, BLOCKS: tl.constexpr, INNER: tl.constexpr, OUTER: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(2).to(tl.int64)
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    output = tl.program_id(1) * OUTER + tl.arange(0, OUTER)
    there, wanted = pixel < pixels, output < outputs
    image = pixel // (tall * wide)
    down = pixel % (tall * wide) // wide * stride - padding
    right = pixel % wide * stride - padding
    own_images = images + run * images_run
    own_weight = weight + run * outputs * 9 * channels + first_tap
    sums = tl.zeros((PIXELS, OUTER), tl.float32)
    for tap in range(9):
        row, column = down + tap // 3, right + tap % 3
        inside = there & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = ((image * height + row) * width + column) * channels
        for block in range(BLOCKS):
            channel = block * INNER + tl.arange(0, INNER)
            known = channel < channels
            shown = tl.load(
                own_images + place[:, None] + channel[None, :],
                mask=inside[:, None] & known[None, :], other=0.0,
            )  # fmt: skip
            of = output[None, :] * by_output + tap * by_tap + channel[:, None] * by_channel
            mask = wanted[None, :] & known[:, None]
            weights = tl.load(own_weight + of, mask=mask, other=0.0)
            sums = tl.dot(shown, weights, sums)
    place = (run * pixels + pixel)[:, None] * outputs + output[None, :]
    mask = there[:, None] & wanted[None, :]
    tl.store(made + place, sums.to(made.dtype.element_ty), mask=mask)


@triton.jit
def _weight_gradient(
    images, gradient, partial, pixels, tall, wide, height, width, channels, outputs,
    stride, padding, images_run, gradient_run,
    TILES: tl.constexpr, PIXELS: tl.constexpr, INNER: tl.constexpr, OUTER: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(2).to(tl.int64)
    share = tl.program_id(0)
    tap_row = tl.program_id(1) % 3
    across = tl.cdiv(channels, INNER)
    channel = tl.program_id(1) // 3 % across * INNER + tl.arange(0, INNER)
    output = tl.program_id(1) // 3 // across * OUTER + tl.arange(0, OUTER)
    known, wanted = channel < channels, output < outputs
    own_images = images + run * images_run
    own_gradient = gradient + run * gradient_run
    left = tl.zeros((OUTER, INNER), tl.float32)
    middle = tl.zeros((OUTER, INNER), tl.float32)
    right = tl.zeros((OUTER, INNER), tl.float32)
    for tile in range(TILES):
        pixel = (share * TILES + tile) * PIXELS + tl.arange(0, PIXELS)
        there = pixel < pixels
        row = pixel % (tall * wide) // wide * stride - padding + tap_row
        column = pixel % wide * stride - padding
        inside = there & (row >= 0) & (row < height)
        place = (pixel // (tall * wide) * height + row) * width + column
        from_above = own_gradient + pixel[:, None] * outputs + output[None, :]
        mask = there[:, None] & wanted[None, :]
        slopes = tl.trans(tl.load(from_above, mask=mask, other=0.0))
        from_here = own_images + place[:, None] * channels + channel[None, :]
        mask = (inside & (column >= 0))[:, None] & known[None, :]
        left = tl.dot(slopes, tl.load(from_here, mask=mask, other=0.0), left)
        mask = (inside & (column + 1 >= 0) & (column + 1 < width))[:, None] & known[None, :]
        middle = tl.dot(slopes, tl.load(from_here + channels, mask=mask, other=0.0), middle)
        mask = (inside & (column + 2 < width))[:, None] & known[None, :]
        right = tl.dot(slopes, tl.load(from_here + 2 * channels, mask=mask, other=0.0), right)
    mask = wanted[:, None] & known[None, :]
    base = (run * tl.num_programs(0) + share) * outputs + output
    out = partial + (base[:, None] * 9 + tap_row * 3) * channels + channel[None, :]
    tl.store(out, left, mask=mask)
    tl.store(out + channels, middle, mask=mask)
    tl.store(out + 2 * channels, right, mask=mask)
