"""Layers in a form that `torch.func.vmap` takes over many networks at once.

They compute what PyTorch's own do. Two of PyTorch's cannot be used: `nn.LSTM` has no rule for
many sets of weights, and a `BatchNorm` whose weights are float32 turns bfloat16 into float32 there.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unskew.models.base import Network


def vmappable(network: nn.Module) -> nn.Module:
    """A copy of the network, its parameters and buffers under the same names."""
    made = copy.deepcopy(network)
    assert isinstance(made, Network)
    made.fused = False  # the package's own kernels know one network at a time
    for module in list(made.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, Norm(child))
            elif isinstance(child, nn.LSTM):
                setattr(module, name, UnrolledLSTM(child))
    return made


def names_in_float32(network: nn.Module) -> frozenset[str]:
    """Parameters and buffers of a `vmappable` network that stay float32: those of its norms, and
    the weights whose gradients LSTMs sum over the steps.
    """
    return frozenset(
        f"{path}.{name}"
        for path, module in network.named_modules()
        if isinstance(module, Norm | UnrolledLSTM)
        for name, _ in (*module.named_parameters(), *module.named_buffers())
        if isinstance(module, Norm) or name.startswith("weight_hh")
    )


class _Like(nn.Module):
    """A module with the parameters and buffers of another, under their names."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for name, parameter in module.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in module.named_buffers(recurse=False):
            self.register_buffer(name, buffer)


class Norm(_Like):
    """Batch normalisation (Ioffe & Szegedy 2015) whose output has its input's number format."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        assert norm.momentum is not None
        assert norm.track_running_stats
        super().__init__(norm)
        self.momentum, self.eps = norm.momentum, norm.eps

    def forward(self, values: Tensor) -> Tensor:
        """(B, C) or (B, C, H, W), like the input."""
        if self.training:
            self.num_batches_tracked.add_(1)
        # PyTorch has no rule for float32 statistics of bfloat16 values under vmap: on a CPU none at
        # all, on a GPU one whose backward takes the statistics for bfloat16 too.
        normed = F.batch_norm(
            values.float(), self.running_mean, self.running_var,
            training=self.training, momentum=self.momentum, eps=self.eps,
        )  # fmt: skip
        shape = (-1, *(1,) * (values.dim() - 2))
        weight, bias = (p.view(shape) for p in (self.weight, self.bias))
        # Scaled before they are rounded, as one network's are.
        return torch.addcmul(bias, normed, weight).to(values.dtype)


ROUNDED_AT_ONCE = 4
"""More cost accuracy, fewer another pass over the recurrent weights each."""


class UnrolledLSTM(_Like):
    """`nn.LSTM` step by step in plain operators.

    The products with the inputs are one for all steps; the cell stays float32, since it sums
    over the steps (Hochreiter & Schmidhuber 1997; gates in PyTorch's order i, f, g, o). So does
    the gradient of the recurrent weights but for `ROUNDED_AT_ONCE` steps, which are summed in the
    products' format: in bfloat16 all 32 of an image's rows leave an error of 0.8 %, four of 0.55 %,
    one of 0.5 %, which is that of `nn.LSTM`.
    """

    def __init__(self, layers: nn.LSTM) -> None:
        assert layers.bias
        assert not layers.bidirectional
        assert not layers.proj_size
        assert not layers.dropout
        super().__init__(layers)
        self._layers, self._batch_first = layers.num_layers, layers.batch_first

    def forward(self, sequences: Tensor) -> tuple[Tensor, None]:
        """(B, T, I) to (B, T, H), or (T, B, I) to (T, B, H) without `batch_first`.

        As `nn.LSTM` returns it, but without the last state.
        """
        outputs = sequences if self._batch_first else sequences.transpose(0, 1)
        for layer in range(self._layers):
            weights = [
                getattr(self, f"{name}_l{layer}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            outputs = _layer(outputs, *weights)
        return (outputs if self._batch_first else outputs.transpose(0, 1)), None


def _layer(
    inputs: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor
) -> Tensor:
    projected = F.linear(inputs, weight_ih, bias_ih + bias_hh)
    hidden = inputs.new_zeros(inputs.shape[0], weight_hh.shape[1])
    cell = torch.zeros_like(hidden, dtype=torch.float32)
    outputs = []
    for number, step in enumerate(projected.unbind(1)):
        if number % ROUNDED_AT_ONCE == 0:
            recurrent = weight_hh.t().to(inputs.dtype)
        enter, forget, new, show = (step + hidden @ recurrent).float().chunk(4, dim=1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = (show.sigmoid() * cell.tanh()).to(inputs.dtype)
        outputs.append(hidden)
    return torch.stack(outputs, dim=1)
