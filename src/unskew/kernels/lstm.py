"""A stack of LSTM layers, each one pass through time."""

from __future__ import annotations

from ctypes import c_int64
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.kernels.call import ask, call, room
from unskew.kernels.formats import GRADIENT, multiplied_in, source
from unskew.kernels.layout import new_floats, new_numbers
from unskew.kernels.library import load

UNITS = 64
"""The number of units must be a multiple of this, one tile of the backward pass."""
ROWS_AT_ONCE = 400
"""Of a float32 product by MKL."""
KEPT = 6
"""Numbers of a unit and step that the backward pass multiplies by, as in the C files. The forward
pass keeps them instead of gates and cell states: the derivatives of c_t by the sums of i, f and g,
of h_t by that of o and by c_t, and of c_t by c_{t-1}. None is made again, and all lie together.
"""


def lstm(sequences: Tensor, layers: nn.LSTM) -> Tensor:
    """`layers(sequences)[0]`: every step's output of the last layer.

    The kernels act where PyTorch would multiply in bfloat16 or float32 on the CPU; all else is left
    to PyTorch.

    Parameters
    ----------
    sequences: float (B, T, I).
    layers: with `batch_first`; its parameters are float32.

    Returns
    -------
    (B, T, H), bfloat16 under autocast.
    """
    dtype = multiplied_in(sequences)
    if dtype is None or not _fits(sequences, layers, dtype):
        plain: Tensor = layers(sequences)[0]
        return plain
    outputs = sequences.transpose(0, 1)
    for layer in range(layers.num_layers):
        weights = [getattr(layers, f"{name}_l{layer}") for name in _PARAMETERS]
        outputs = _Layer.apply(outputs, *weights, dtype, torch.is_grad_enabled())
    return outputs.transpose(0, 1)


_PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _fits(sequences: Tensor, layers: nn.LSTM, dtype: torch.dtype) -> bool:
    return (
        sequences.dim() == 3
        and sequences.shape[1] > 0
        and layers.batch_first
        and sequences.shape[-1] == layers.input_size
        and layers.bias
        and not layers.bidirectional
        and not layers.proj_size
        and not layers.dropout
        and layers.hidden_size % UNITS == 0
        and all(
            parameter.dtype is torch.float32 and parameter.device == sequences.device
            for parameter in layers.parameters()
        )
        and load(source("lstm", dtype)).functions is not None
    )


class _Layer(torch.autograd.Function):
    """One layer, time first: (T, B, I) to (T, B, H)."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        dtype: torch.dtype,
        keep: bool,
    ) -> Tensor:
        steps, batch, inputs_of_row = inputs.shape
        kernels, units = source("lstm", dtype), weight_hh.shape[1]
        missing = -inputs_of_row % ask(kernels, "inputs_at_once")
        width = inputs_of_row + missing
        both = new_numbers(dtype, steps + 1, batch, width + units)
        both[:steps, :, :inputs_of_row] = inputs
        both[:, :, inputs_of_row:width] = 0
        both[0, :, width:] = 0
        input_weights = weight_ih.to(dtype)
        if missing:
            input_weights = F.pad(input_weights, (0, missing))
        hidden_weights = weight_hh.to(dtype).contiguous()
        packed = new_numbers(dtype, 4 * units * (width + units))
        sizes = c_int64(width), c_int64(units)
        call(kernels, "pack_forward", input_weights.contiguous(), hidden_weights, packed, *sizes)
        kept = new_numbers(dtype, steps, batch, KEPT, units) if keep else None
        call(
            kernels, "forward", both, packed, bias_ih + bias_hh, kept, new_floats(batch, units),
            c_int64(steps), c_int64(batch), *sizes, torch.get_num_threads(),
        )  # fmt: skip
        if keep:
            ctx.save_for_backward(both, kept, input_weights, hidden_weights)
            ctx.inputs_of_row, ctx.kernels = inputs_of_row, kernels
        return both[1:, :, width:]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        both, kept, input_weights, hidden_weights = ctx.saved_tensors
        steps, batch, _, units = kept.shape
        width, parts = both.shape[2] - units, torch.get_num_threads()
        packed, kernels = kept.new_empty(4 * units * units), ctx.kernels
        call(kernels, "pack_backward", hidden_weights, packed, c_int64(units))
        apart = ask(kernels, "apart", c_int64(units))
        rows, bias = kept.new_empty(steps * batch, apart), new_floats(parts, 4 * units).zero_()
        call(
            kernels, "backward", kept, gradient.to(kept.dtype).contiguous(), packed, rows,
            new_floats(batch, units), bias, c_int64(steps), c_int64(batch), c_int64(units), parts,
        )  # fmt: skip
        back, inputs, own = rows[:, : 4 * units], None, slice(ctx.inputs_of_row)
        if ctx.needs_input_grad[0]:
            inputs = _product(back, input_weights).view(steps, batch, width)[..., own]
        of_inputs, of_hidden = _weight_gradients(kernels, back, both[:steps].flatten(0, 1), width)
        bias = bias.sum(dim=0) if parts > 1 else bias[0]
        return inputs, of_inputs[:, own], of_hidden, bias, bias, None, None


def _product(rows: Tensor, weights: Tensor) -> Tensor:
    """`rows @ weights`, (P, 4 H) by (4 H, I): in float32 a part of the rows at a time.

    Of all at once MKL takes a sixth longer, in one thread.
    """
    if rows.dtype is not torch.float32:
        return rows @ weights
    product = new_numbers(rows.dtype, len(rows), weights.shape[1])
    for part, out in zip(rows.split(ROWS_AT_ONCE), product.split(ROWS_AT_ONCE), strict=True):
        torch.mm(part, weights, out=out)
    return product


def _weight_gradients(
    kernels: str, back: Tensor, both: Tensor, width: int
) -> tuple[Tensor, Tensor]:
    """Of both weights, float32 (4 H, I) and (4 H, H): one product, over all steps and rows at once.

    Parameters
    ----------
    back: gradients of the gates, (P, 4 H).
    both: what the gates were computed from, (P, I + H).
    """
    if back.dtype is torch.bfloat16 and load(f"{kernels}{GRADIENT}").functions is not None:
        kernels += GRADIENT
        parts, units = torch.get_num_threads(), back.shape[1] // 4
        sizes = c_int64(width), c_int64(units)
        inputs, hidden = new_floats(4 * units, width), new_floats(4 * units, units)
        call(
            kernels, "weight_gradients", back, both, *room(kernels, parts, *sizes), inputs, hidden,
            c_int64(len(back)), *sizes, parts,
        )  # fmt: skip
        return inputs, hidden
    product = back.t() @ both
    return product[:, :width].float(), product[:, width:].float()
