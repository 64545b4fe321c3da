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


SHARES = 64
"""Partial sums that are added up at a time."""


def statistics(
    values: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor,
    momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """As `batch_norm.statistics`, float32 (4, R, C)."""
    runs, positions, channels = values.shape
    grid = shares(*values.shape)
    sums = partial(values, grid, channels)
    _sums_about[grid](
        values, *sums, positions, channels,
        TILES=TILES, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    found = sums.new_empty(4, runs, channels)
    _statistics[runs, grid[2]](
        *sums, values, weight, bias, running_mean, running_var, *found,
        grid[1], positions, channels, weight.stride(0), bias.stride(0), momentum, eps,
        BLOCKS=triton.cdiv(grid[1], SHARES), SHARES=SHARES, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return found


def finished(sums: Tensor, inverse: Tensor, positions: int) -> Tensor:
    """`Slopes`, float32 (4, R, C), of the partial sums (2, R, shares, C) of g and g·(x - μ)."""
    _, runs, count, channels = sums.shape
    found = sums.new_empty(4, runs, channels)
    _slopes[runs, triton.cdiv(channels, COLUMNS)](
        *sums, inverse, *found, count, positions, channels,
        BLOCKS=triton.cdiv(count, SHARES), SHARES=SHARES, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return found


def normalise(values: Tensor, mean: Tensor, scale: Tensor, bias: Tensor, relu: bool) -> Tensor:
    """As `batch_norm.normalise`."""
    made = torch.empty_like(values)
    grid = tiles(*values.shape)
    _normalise[grid](
        values, mean, scale, bias, made, values.shape[1], values.shape[2],
        RELU=relu, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return made


def slopes(
    gradient: Tensor, values: Tensor, mean: Tensor, inverse: Tensor, scale: Tensor, bias: Tensor,
    relu: bool,
) -> Tensor:  # fmt: skip
    """As `batch_norm.slopes`, float32 (4, R, C)."""
    grid = shares(*values.shape)
    sums = partial(values, grid, values.shape[2])
    _gradient_sums[grid](
        gradient, values, mean, scale, bias, *sums, values.shape[1], values.shape[2],
        RELU=relu, TILES=TILES, ROWS=ROWS, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    return finished(sums, inverse, values.shape[1])


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
    values, first, second, positions, channels,
    TILES: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """About the first value, so that little is lost where the mean is far from zero."""
    run = tl.program_id(0).to(tl.int64)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    begin = run * positions * channels + column
    about = tl.load(values + begin, mask=known, other=0.0).to(tl.float32)
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    squares = tl.zeros((ROWS, COLUMNS), tl.float32)
    for tile in range(TILES):
        row = (tl.program_id(1) * TILES + tile) * ROWS + tl.arange(0, ROWS)
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
def _added_up(
    partial, run, count, channels, column, known,
    BLOCKS: tl.constexpr, SHARES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    total = tl.zeros((SHARES, COLUMNS), tl.float32)
    for block in range(BLOCKS):
        share = block * SHARES + tl.arange(0, SHARES)
        place = (run * count + share)[:, None] * channels + column[None, :]
        mask = (share < count)[:, None] & known[None, :]
        total += tl.load(partial + place, mask=mask, other=0.0)
    return tl.sum(total, axis=0)


@triton.jit
def _statistics(
    first, second, values, weight, bias, running_mean, running_var, mean, inverse, scale, raised,
    count, positions, channels, weight_run, bias_run, momentum, eps,
    BLOCKS: tl.constexpr, SHARES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    of = run * channels + column
    begin = run * positions * channels + column
    about = tl.load(values + begin, mask=known, other=0.0).to(tl.float32)
    sums = _added_up(first, run, count, channels, column, known, BLOCKS, SHARES, COLUMNS)
    squares = _added_up(second, run, count, channels, column, known, BLOCKS, SHARES, COLUMNS)
    apart = sums / positions
    variance = squares / positions - apart * apart
    variance = tl.where(variance < 0.0, 0.0, variance)  # what is not a number stays so
    centre = about + apart
    tl.store(mean + of, centre, mask=known)
    factor = 1.0 / tl.sqrt(variance + eps)
    tl.store(inverse + of, factor, mask=known)
    own = tl.load(weight + run * weight_run + column, mask=known, other=0.0)
    tl.store(scale + of, own * factor, mask=known)
    own = tl.load(bias + run * bias_run + column, mask=known, other=0.0)
    tl.store(raised + of, own, mask=known)
    before = tl.load(running_mean + of, mask=known, other=0.0)
    tl.store(running_mean + of, before + momentum * (centre - before), mask=known)
    before = tl.load(running_var + of, mask=known, other=0.0)
    unbiased = variance * positions / (positions - 1)
    tl.store(running_var + of, before + momentum * (unbiased - before), mask=known)


@triton.jit
def _slopes(
    first, second, inverse, at_weight, at_bias, shift, slope, count, positions, channels,
    BLOCKS: tl.constexpr, SHARES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    run = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    of = run * channels + column
    factor = tl.load(inverse + of, mask=known, other=0.0)
    sums = _added_up(first, run, count, channels, column, known, BLOCKS, SHARES, COLUMNS)
    products = _added_up(second, run, count, channels, column, known, BLOCKS, SHARES, COLUMNS)
    products *= factor
    tl.store(at_weight + of, products, mask=known)
    tl.store(at_bias + of, sums, mask=known)
    tl.store(shift + of, sums / positions, mask=known)
    tl.store(slope + of, factor * products / positions, mask=known)


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
