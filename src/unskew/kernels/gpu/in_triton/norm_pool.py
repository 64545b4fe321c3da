"""`norm_pool`'s passes over memory, one kernel each."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from unskew.kernels.gpu.in_triton.batch_norm import (
    COLUMNS,
    ROWS,
    TILES,
    finished,
    partial,
    shares,
    tiles,
)


def normalise(values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """As `norm_pool.normalise`."""
    runs, batch, height, width, channels = values.shape
    made = values.new_empty(runs, batch, height // 2, width // 2, channels)
    windows = batch * (height // 2) * (width // 2)
    grid = tiles(runs, windows, channels)
    _normalise[grid](
        values, mean, scale, bias, made, windows, width // 2, channels,
        ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return made


def slopes(
    gradient: Tensor, values: Tensor, mean: Tensor, inverse: Tensor, scale: Tensor, bias: Tensor
) -> Tensor:
    """As `norm_pool.slopes`, float32 (4, R, C)."""
    runs, batch, tall, wide, channels = gradient.shape
    windows = batch * tall * wide
    grid = shares(runs, windows, channels)
    sums = partial(values, grid, channels)
    _gradient_sums[grid](
        gradient, values, mean, scale, bias, *sums, windows, wide, channels,
        TILES=TILES, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return finished(sums, inverse, 4 * windows)


def gradient_at_values(
    gradient: Tensor,
    values: Tensor,
    mean: Tensor,
    scale: Tensor,
    bias: Tensor,
    shift: Tensor,
    slope: Tensor,
) -> Tensor:
    """As `norm_pool.gradient_at_values`."""
    runs, batch, tall, wide, channels = gradient.shape
    made = values.new_empty(values.shape)
    grid = tiles(runs, batch * tall * wide, channels)
    _gradient_at_values[grid](
        gradient, values, mean, scale, bias, shift, slope, made, batch * tall * wide, wide,
        channels, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return made


@triton.jit
def _corner(run, window, windows, wide, channels):
    """Where a window's upper left pixel begins: windows of 2×2 in rows of `wide`."""
    pixel = window // wide * (4 * wide) + window % wide * 2
    return (run * 4 * windows + pixel) * channels


@triton.jit
def _apart(values, place, centre, there):
    return tl.load(values + place, mask=there, other=0.0).to(tl.float32) - centre


@triton.jit
def _normalise(
    values, mean, scale, bias, made, windows, wide, channels,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(1).to(tl.int64)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    of = run * channels + column
    centre = tl.load(mean + of, mask=known, other=0.0)[None, :]
    factor = tl.load(scale + of, mask=known, other=0.0)[None, :]
    raised = tl.load(bias + of, mask=known, other=0.0)[None, :]
    window = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    there = (window < windows)[:, None] & known[None, :]
    place = _corner(run, window, windows, wide, channels)[:, None] + column[None, :]
    below = 2 * wide * channels
    best = _apart(values, place, centre, there) * factor + raised
    other = _apart(values, place + channels, centre, there) * factor + raised
    best = tl.where(other > best, other, best)
    other = _apart(values, place + below, centre, there) * factor + raised
    best = tl.where(other > best, other, best)
    other = _apart(values, place + below + channels, centre, there) * factor + raised
    best = tl.where(other > best, other, best)
    best = tl.where(best <= 0.0, 0.0, best)  # what is not a number stays so
    out = (run * windows + window)[:, None] * channels + column[None, :]
    tl.store(made + out, best.to(made.dtype.element_ty), mask=there)


@triton.jit
def _gradient_sums(
    gradient, values, mean, scale, bias, first, second, windows, wide, channels,
    TILES: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(0).to(tl.int64)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    of = run * channels + column
    centre = tl.load(mean + of, mask=known, other=0.0)[None, :]
    factor = tl.load(scale + of, mask=known, other=0.0)[None, :]
    raised = tl.load(bias + of, mask=known, other=0.0)[None, :]
    below = 2 * wide * channels
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    products = tl.zeros((ROWS, COLUMNS), tl.float32)
    for tile in range(TILES):
        window = (tl.program_id(1) * TILES + tile) * ROWS + tl.arange(0, ROWS)
        there = (window < windows)[:, None] & known[None, :]
        place = _corner(run, window, windows, wide, channels)[:, None] + column[None, :]
        largest = _apart(values, place, centre, there)
        best = largest * factor + raised
        apart = _apart(values, place + channels, centre, there)
        largest = tl.where(apart * factor + raised > best, apart, largest)
        best = largest * factor + raised
        apart = _apart(values, place + below, centre, there)
        largest = tl.where(apart * factor + raised > best, apart, largest)
        best = largest * factor + raised
        apart = _apart(values, place + below + channels, centre, there)
        largest = tl.where(apart * factor + raised > best, apart, largest)
        best = largest * factor + raised
        at = (run * windows + window)[:, None] * channels + column[None, :]
        passed = tl.load(gradient + at, mask=there, other=0.0).to(tl.float32)
        passed = tl.where(best <= 0.0, 0.0, passed)
        sums += passed
        products += passed * largest
    out = (run * tl.num_programs(1) + tl.program_id(1)) * channels + column
    tl.store(first + out, tl.sum(sums, axis=0), mask=known)
    tl.store(second + out, tl.sum(products, axis=0), mask=known)


@triton.jit
def _gradient_at_values(
    gradient, values, mean, scale, bias, shift, slope, made, windows, wide, channels,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(1).to(tl.int64)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    of = run * channels + column
    centre = tl.load(mean + of, mask=known, other=0.0)[None, :]
    factor = tl.load(scale + of, mask=known, other=0.0)[None, :]
    raised = tl.load(bias + of, mask=known, other=0.0)[None, :]
    moved = tl.load(shift + of, mask=known, other=0.0)[None, :]
    tilted = tl.load(slope + of, mask=known, other=0.0)[None, :]
    window = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    there = (window < windows)[:, None] & known[None, :]
    place = _corner(run, window, windows, wide, channels)[:, None] + column[None, :]
    below = 2 * wide * channels
    a = _apart(values, place, centre, there)
    b = _apart(values, place + channels, centre, there)
    c = _apart(values, place + below, centre, there)
    d = _apart(values, place + below + channels, centre, there)
    best, which = a * factor + raised, tl.zeros((ROWS, COLUMNS), tl.int32)
    other = b * factor + raised
    which = tl.where(other > best, 1, which)
    best = tl.where(other > best, other, best)
    other = c * factor + raised
    which = tl.where(other > best, 2, which)
    best = tl.where(other > best, other, best)
    other = d * factor + raised
    which = tl.where(other > best, 3, which)
    best = tl.where(other > best, other, best)
    at = (run * windows + window)[:, None] * channels + column[None, :]
    passed = tl.load(gradient + at, mask=there, other=0.0).to(tl.float32)
    passed = tl.where(best <= 0.0, 0.0, passed)
    kind = made.dtype.element_ty
    left = factor * (tl.where(which == 0, passed, 0.0) - moved - tilted * a)
    tl.store(made + place, left.to(kind), mask=there)
    left = factor * (tl.where(which == 1, passed, 0.0) - moved - tilted * b)
    tl.store(made + place + channels, left.to(kind), mask=there)
    left = factor * (tl.where(which == 2, passed, 0.0) - moved - tilted * c)
    tl.store(made + place + below, left.to(kind), mask=there)
    left = factor * (tl.where(which == 3, passed, 0.0) - moved - tilted * d)
    tl.store(made + place + below + channels, left.to(kind), mask=there)
