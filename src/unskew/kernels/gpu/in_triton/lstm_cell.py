"""`lstm_cell` in one kernel each way: what PyTorch's operators do in a dozen passes over memory."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256
"""Units of one row that a program takes."""


def step(gates: Tensor, cells: Tensor, new_cells: Tensor, hidden: Tensor) -> None:
    """As `lstm_cell.step`."""
    runs, batch, units = cells.shape
    grid = (runs * batch, triton.cdiv(units, BLOCK))
    _step[grid](
        gates, cells, new_cells, hidden, batch, units,
        *gates.stride()[:2], *cells.stride()[:2], *new_cells.stride()[:2], *hidden.stride()[:2],
        BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip


def step_back(
    gates: Tensor,
    cells: Tensor,
    new_cells: Tensor,
    from_above: Tensor,
    from_next: Tensor,
    cell_gradient: Tensor,
    gate_gradient: Tensor,
) -> None:
    """As `lstm_cell.step_back`."""
    runs, batch, units = cells.shape
    grid = (runs * batch, triton.cdiv(units, BLOCK))
    _step_back[grid](
        gates, cells, new_cells, from_above, from_next, cell_gradient, gate_gradient, batch, units,
        *gates.stride()[:2], *cells.stride()[:2], *new_cells.stride()[:2],
        *from_above.stride()[:2], *from_next.stride()[:2], *cell_gradient.stride()[:2],
        *gate_gradient.stride()[:2],
        BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip


@triton.jit
def _tanh(x):
    """From the exponential of -2|x|, which cannot overflow."""
    e = tl.exp(-2.0 * tl.abs(x))
    t = (1.0 - e) / (1.0 + e)
    return tl.where(x < 0, -t, t)


@triton.jit
def _step(
    gates, cells, new_cells, hidden, batch, units,
    gates_run, gates_row, cells_run, cells_row, new_run, new_row, hidden_run, hidden_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    run = (tl.program_id(0) // batch).to(tl.int64)
    row = tl.program_id(0) % batch
    unit = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = unit < units
    gate = gates + run * gates_run + row * gates_row + unit
    enter = tl.sigmoid(tl.load(gate, mask=there, other=0.0).to(tl.float32))
    forget = tl.sigmoid(tl.load(gate + units, mask=there, other=0.0).to(tl.float32))
    new = _tanh(tl.load(gate + 2 * units, mask=there, other=0.0).to(tl.float32))
    show = tl.sigmoid(tl.load(gate + 3 * units, mask=there, other=0.0).to(tl.float32))
    cell = tl.load(cells + run * cells_run + row * cells_row + unit, mask=there, other=0.0)
    cell = forget * cell + enter * new
    tl.store(new_cells + run * new_run + row * new_row + unit, cell, mask=there)
    at = hidden + run * hidden_run + row * hidden_row + unit
    tl.store(at, (show * _tanh(cell)).to(hidden.dtype.element_ty), mask=there)


@triton.jit
def _step_back(
    gates, cells, new_cells, from_above, from_next, cell_gradient, gate_gradient, batch, units,
    gates_run, gates_row, cells_run, cells_row, new_run, new_row,
    above_run, above_row, next_run, next_row, cell_run, cell_row, gate_run, gate_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    run = (tl.program_id(0) // batch).to(tl.int64)
    row = tl.program_id(0) % batch
    unit = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = unit < units
    gate = gates + run * gates_run + row * gates_row + unit
    enter = tl.sigmoid(tl.load(gate, mask=there, other=0.0).to(tl.float32))
    forget = tl.sigmoid(tl.load(gate + units, mask=there, other=0.0).to(tl.float32))
    new = _tanh(tl.load(gate + 2 * units, mask=there, other=0.0).to(tl.float32))
    show = tl.sigmoid(tl.load(gate + 3 * units, mask=there, other=0.0).to(tl.float32))
    cell = tl.load(cells + run * cells_run + row * cells_row + unit, mask=there, other=0.0)
    after = tl.load(new_cells + run * new_run + row * new_row + unit, mask=there, other=0.0)
    above = tl.load(from_above + run * above_run + row * above_row + unit, mask=there, other=0.0)
    coming = tl.load(from_next + run * next_run + row * next_row + unit, mask=there, other=0.0)
    gradient = above.to(tl.float32) + coming.to(tl.float32)
    shown = _tanh(after)
    at = cell_gradient + run * cell_run + row * cell_row + unit
    through = tl.load(at, mask=there, other=0.0) + gradient * show * (1.0 - shown * shown)
    out = gate_gradient + run * gate_run + row * gate_row + unit
    kind = gate_gradient.dtype.element_ty
    tl.store(out, (through * new * enter * (1.0 - enter)).to(kind), mask=there)
    tl.store(out + units, (through * cell * forget * (1.0 - forget)).to(kind), mask=there)
    tl.store(out + 2 * units, (through * enter * (1.0 - new * new)).to(kind), mask=there)
    tl.store(out + 3 * units, (gradient * shown * show * (1.0 - show)).to(kind), mask=there)
    tl.store(at, through * forget, mask=there)
