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
        and load(source("lstm_gradient", dtype)).functions is not None
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
        input_weights = input_weights.contiguous()
        hidden_weights = weight_hh.to(dtype).contiguous()
        packed = new_numbers(dtype, 4 * units * (width + units))
        sizes = c_int64(width), c_int64(units)
        call(kernels, "pack_forward", input_weights, hidden_weights, packed, *sizes)
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
        rows, sizes = c_int64(steps * batch), (c_int64(width), c_int64(units))
        gates = kept.new_empty(ask(kernels, "room_for_gates", rows, sizes[1]))
        bias = new_floats(parts, 4 * units).zero_()
        call(
            kernels, "backward", kept, gradient.to(kept.dtype).contiguous(), packed, gates,
            new_floats(batch, units), bias, c_int64(steps), c_int64(batch), sizes[1], parts,
        )  # fmt: skip
        kernels, inputs, own = kernels + GRADIENT, None, slice(ctx.inputs_of_row)
        if ctx.needs_input_grad[0]:
            inputs = _input_gradients(kernels, gates, input_weights, steps * batch, parts)
            inputs = inputs.view(steps, batch, width)[..., own]
        of_inputs, of_hidden = new_floats(4 * units, width), new_floats(4 * units, units)
        call(
            kernels, "weight_gradients", gates, both, *room(kernels, parts, *sizes), of_inputs,
            of_hidden, rows, *sizes, parts,
        )  # fmt: skip
        bias = bias.sum(dim=0) if parts > 1 else bias[0]
        return inputs, of_inputs[:, own], of_hidden, bias, bias, None, None


def _input_gradients(kernels: str, gates: Tensor, weights: Tensor, rows: int, parts: int) -> Tensor:
    """Of each row's inputs, (P, I): those of its gates times the weights.

    Parameters
    ----------
    gates: as the backward pass leaves them: bfloat16 (P, 4 H), in float32 as float32/gates.h says.
    weights: (4 H, I).
    """
    if gates.dtype is torch.bfloat16:
        return gates.view(rows, -1) @ weights
    width = weights.shape[1]
    inputs = new_floats(rows, width)
    call(
        kernels, "input_gradients", gates, weights, new_floats(weights.numel()), inputs,
        c_int64(rows), c_int64(width), c_int64(len(weights) // 4), parts,
    )  # fmt: skip
    return inputs
