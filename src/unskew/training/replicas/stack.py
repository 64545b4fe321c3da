"""The weights of many networks side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Stack:
    """Parameters, buffers and momenta of R networks as tensors (R, ...).

    The networks' own tensors, and their optimisers', become views of these: what is changed
    here is changed there, so each can be saved or evaluated by itself. An optimiser that is put in
    the place of one of these, as `Trainer.restore` does, has no part in it: restore before.

    Parameters
    ----------
    networks: of one architecture, on one device.
    optimizers: theirs; every one is `torch.optim.SGD` with as many groups.

    Attributes
    ----------
    parameters: by name; leaves that need a gradient.
    buffers: by name.
    momenta: by name, zeros where an optimiser has none yet (SGD begins with its first gradient,
        as from zero); empty for a momentum of 0.
    groups: by name, the index of the parameter's group in its optimiser.
    """

    def __init__(
        self, networks: Sequence[nn.Module], optimizers: Sequence[torch.optim.Optimizer]
    ) -> None:
        first = networks[0]
        self.parameters: dict[str, Tensor] = {}
        self.momenta: dict[str, Tensor] = {}
        self.groups: dict[str, int] = {}
        of_parameter = {
            id(parameter): index
            for index, group in enumerate(optimizers[0].param_groups)
            for parameter in group["params"]
        }
        for name, parameter in first.named_parameters():
            own = [network.get_parameter(name) for network in networks]
            self.groups[name] = of_parameter[id(parameter)]
            self.parameters[name] = _shared(own).requires_grad_()
            if optimizers[0].param_groups[self.groups[name]]["momentum"]:
                self.momenta[name] = _momenta(own, optimizers)
        self.buffers = {
            name: _shared([network.get_buffer(name) for network in networks])
            for name, _ in first.named_buffers()
        }


def _shared(tensors: Sequence[Tensor]) -> Tensor:
    """One tensor of them all, which they then are views of."""
    stacked = torch.stack([tensor.detach() for tensor in tensors])
    for tensor, view in zip(tensors, stacked, strict=True):
        tensor.data = view
    return stacked


def _momenta(
    parameters: Sequence[nn.Parameter], optimizers: Sequence[torch.optim.Optimizer]
) -> Tensor:
    states = [o.state[p] for o, p in zip(optimizers, parameters, strict=True)]
    stacked = torch.stack(
        [
            state.get("momentum_buffer", torch.zeros_like(parameter)).detach()
            for state, parameter in zip(states, parameters, strict=True)
        ]
    )
    for state, view in zip(states, stacked, strict=True):
        state["momentum_buffer"] = view
    return stacked
