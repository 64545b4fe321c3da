"""`batch_norm`'s passes over memory, one kernel each."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS, COLUMNS = 128, 32
"""Positions and channels that a program holds at a time."""
TILES = 8
"""So many after one another are summed by one program: enough that the sums of all programs are few
beside the values. The same for any number of networks, or each would have kernels compiled anew.
"""


def sums_about(values: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Σ (values - shift) and Σ (values - shift)² over positions, float32 (R, C)."""
    grid = shares(*values.shape)
    sums = partial(values, grid, values.shape[2])
    _sums_about[grid](
        values, shift, *sums, values.shape[1], values.shape[2],
        TILES=TILES, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    first, second = sums.sum(dim=2)
    return first, second


def normalise(values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor, relu: bool) -> Tensor:
    """As `batch_norm.normalise`."""
    made = torch.empty_like(values)
    grid = tiles(*values.shape)
    _normalise[grid](
        values, mean, scale, bias, made, values.shape[1], values.shape[2],
        RELU=relu, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return made


def gradient_sums(
    gradient: Tensor, values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor, relu: bool
) -> tuple[Tensor, Tensor]:
    """As `batch_norm.gradient_sums`."""
    grid = shares(*values.shape)
    sums = partial(values, grid, values.shape[2])
    _gradient_sums[grid](
        gradient, values, mean, scale, bias, *sums,
        values.shape[1], values.shape[2],
        RELU=relu, TILES=TILES, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    first, second = sums.sum(dim=2)
    return first, second


def gradient_at_values(
    gradient: Tensor,
    values: Tensor,
    mean: Tensor,
    scale: Tensor,
    bias: Tensor,
    shift: Tensor,
    slope: Tensor,
    relu: bool,
) -> Tensor:
    """As `batch_norm.gradient_at_values`."""
    made = torch.empty_like(values)
    grid = tiles(*values.shape)
    _gradient_at_values[grid](
        gradient, values, mean, scale, bias, shift, slope, made, values.shape[1], values.shape[2],
        RELU=relu, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return made


def tiles(runs: int, rows: int, channels: int) -> tuple[int, int, int]:
    """A grid over (R, N, C): (tiles, runs, shares of the channels)."""
    return triton.cdiv(rows, ROWS), runs, triton.cdiv(channels, COLUMNS)


def shares(runs: int, rows: int, channels: int) -> tuple[int, int, int]:
    """A grid of sums over (R, N, C): (runs, shares of the rows, shares of the channels)."""
    return runs, triton.cdiv(rows, ROWS * TILES), triton.cdiv(channels, COLUMNS)


def partial(like: Tensor, grid: tuple[int, int, int], channels: int) -> Tensor:
    """Room for two sums of each share, float32 (2, R, shares, C)."""
    return like.new_empty(2, *grid[:2], channels, dtype=torch.float32)


@triton.jit
def _sums_about(
    values, shift, first, second, positions, channels,
    TILES: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(0).to(tl.int64)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    about = tl.load(shift + run * channels + column, mask=known, other=0.0)
    begin = tl.program_id(1) * TILES * ROWS
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    squares = tl.zeros((ROWS, COLUMNS), tl.float32)
    for tile in range(TILES):
        row = begin + tile * ROWS + tl.arange(0, ROWS)
        there = (row < positions)[:, None] & known[None, :]
        place = (run * positions + row)[:, None] * channels + column[None, :]
        value = tl.load(values + place, mask=there, other=0.0).to(tl.float32)
        apart = tl.where(there, value - about[None, :], 0.0)
        sums += apart
        squares += apart * apart
    out = (run * tl.num_programs(1) + tl.program_id(1)) * channels + column
    tl.store(first + out, tl.sum(sums, axis=0), mask=known)
    tl.store(second + out, tl.sum(squares, axis=0), mask=known)


@triton.jit
def _normalise(
    values, mean, scale, bias, made, positions, channels,
    RELU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(1).to(tl.int64)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    of = run * channels + column
    centre = tl.load(mean + of, mask=known, other=0.0)[None, :]
    factor = tl.load(scale + of, mask=known, other=0.0)[None, :]
    raised = tl.load(bias + of, mask=known, other=0.0)[None, :]
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    there = (row < positions)[:, None] & known[None, :]
    place = (run * positions + row)[:, None] * channels + column[None, :]
    value = tl.load(values + place, mask=there, other=0.0).to(tl.float32)
    shown = (value - centre) * factor + raised
    if RELU:
        shown = tl.where(shown <= 0.0, 0.0, shown)  # what is not a number stays so
    tl.store(made + place, shown.to(made.dtype.element_ty), mask=there)


@triton.jit
def _gradient_sums(
    gradient, values, mean, scale, bias, first, second, positions, channels,
    RELU: tl.constexpr, TILES: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(0).to(tl.int64)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    of = run * channels + column
    centre = tl.load(mean + of, mask=known, other=0.0)[None, :]
    factor = tl.load(scale + of, mask=known, other=0.0)[None, :]
    raised = tl.load(bias + of, mask=known, other=0.0)[None, :]
    begin = tl.program_id(1) * TILES * ROWS
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    products = tl.zeros((ROWS, COLUMNS), tl.float32)
    for tile in range(TILES):
        row = begin + tile * ROWS + tl.arange(0, ROWS)
        there = (row < positions)[:, None] & known[None, :]
        place = (run * positions + row)[:, None] * channels + column[None, :]
        apart = tl.load(values + place, mask=there, other=0.0).to(tl.float32) - centre
        passed = tl.load(gradient + place, mask=there, other=0.0).to(tl.float32)
        if RELU:
            passed = tl.where(apart * factor + raised <= 0.0, 0.0, passed)
        sums += passed
        products += passed * apart
    out = (run * tl.num_programs(1) + tl.program_id(1)) * channels + column
    tl.store(first + out, tl.sum(sums, axis=0), mask=known)
    tl.store(second + out, tl.sum(products, axis=0), mask=known)


@triton.jit
def _gradient_at_values(
    gradient, values, mean, scale, bias, shift, slope, made, positions, channels,
    RELU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
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
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    there = (row < positions)[:, None] & known[None, :]
    place = (run * positions + row)[:, None] * channels + column[None, :]
    apart = tl.load(values + place, mask=there, other=0.0).to(tl.float32) - centre
    passed = tl.load(gradient + place, mask=there, other=0.0).to(tl.float32)
    if RELU:
        passed = tl.where(apart * factor + raised <= 0.0, 0.0, passed)
    left = factor * (passed - moved - tilted * apart)
    tl.store(made + place, left.to(made.dtype.element_ty), mask=there)
