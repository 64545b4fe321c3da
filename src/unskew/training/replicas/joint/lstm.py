"""An LSTM of many networks at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from unskew.kernels.gpu import lstm_cell
from unskew.training.replicas.joint.over_runs import over_runs


class LSTM(nn.Module):
    """`nn.LSTM`, one product of all networks a step and one pass over the cells.

    The products with the inputs and those of all weights' gradients are one each for all steps, so
    their sums are float32; so is the cell, since it sums over the steps (Hochreiter & Schmidhuber
    1997; gates in PyTorch's order i, f, g, o).

    Parameters
    ----------
    layers: its parameters are taken over, under their names.
    """

    def __init__(self, layers: nn.LSTM) -> None:
        assert layers.bias
        assert not layers.bidirectional
        assert not layers.proj_size
        assert not layers.dropout
        super().__init__()
        for name, parameter in layers.named_parameters():
            self.register_parameter(name, parameter)
        self._layers, self._batch_first = layers.num_layers, layers.batch_first

    def forward(self, sequences: Tensor) -> tuple[Tensor, None]:
        """(B, T, I) to (B, T, H), or (T, B, I) to (T, B, H) without `batch_first`.

        As `nn.LSTM` returns it, but without the last state.
        """
        steps = sequences.transpose(0, 1) if self._batch_first else sequences
        for layer in range(self._layers):
            weights = [
                getattr(self, f"{name}_l{layer}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            steps = over_runs(_layer, steps, *weights)
        return (steps.transpose(0, 1) if self._batch_first else steps), None


def _layer(
    steps: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor
) -> Tensor:
    """(R, T, B, I) to (R, T, B, H)."""
    outputs: Tensor = _Layer.apply(steps, weight_ih, weight_hh, bias_ih + bias_hh)
    return outputs


class _Layer(torch.autograd.Function):
    """Inputs (R, T, B, I), weights (R, 4H, I) and (R, 4H, H), biases (R, 4H), to (R, T, B, H)."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
    ) -> Tensor:
        runs, steps, batch, _ = inputs.shape
        units = weight_hh.shape[2]
        flat = inputs.reshape(runs, steps * batch, -1)
        projected = torch.baddbmm(bias.unsqueeze(1), flat, weight_ih.mT)
        gates = projected.view(runs, steps, batch, 4 * units)
        recurrent = weight_hh.mT
        # Before the first step and after each.
        hidden = inputs.new_empty(runs, steps + 1, batch, units)
        cells = inputs.new_empty(steps + 1, runs, batch, units, dtype=torch.float32)
        hidden[:, 0].zero_()
        cells[0].zero_()
        for step in range(steps):
            gates[:, step].baddbmm_(hidden[:, step], recurrent)
            lstm_cell.step(gates[:, step], cells[step], cells[step + 1], hidden[:, step + 1])
        ctx.save_for_backward(flat, weight_ih, weight_hh, gates, hidden, cells)
        return hidden[:, 1:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        flat, weight_ih, weight_hh, gates, hidden, cells = ctx.saved_tensors
        runs, steps, batch, _ = gates.shape
        at_gates = torch.empty_like(gates)
        at_cell = torch.zeros_like(cells[0])
        from_next = torch.zeros_like(hidden[:, 0])
        if gradient.stride(3) != 1:
            gradient = gradient.contiguous()
        for step in reversed(range(steps)):
            lstm_cell.step_back(
                gates[:, step], cells[step], cells[step + 1], gradient[:, step], from_next,
                at_cell, at_gates[:, step],
            )  # fmt: skip
            from_next = torch.bmm(at_gates[:, step], weight_hh)
        all_steps = at_gates.view(runs, steps * batch, -1)
        before = hidden[:, :-1].reshape(runs, steps * batch, -1)
        at_inputs = None
        if ctx.needs_input_grad[0]:
            at_inputs = torch.bmm(all_steps, weight_ih).view(runs, steps, batch, -1)
        return (
            at_inputs,
            torch.bmm(all_steps.mT, flat),
            torch.bmm(all_steps.mT, before),
            all_steps.sum(dim=1, dtype=torch.float32).to(gates.dtype),
        )
