"""The weights of many networks side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

ALIGNED = 8
"""Numbers, to a multiple of which a parameter's room is made up: 16 bytes in bfloat16, so that
matrix units read it as fast as one that lies alone."""


@dataclass(frozen=True)
class Part:
    """Parameters that are cast and moved alike, one after another in one row for each network: an
    operation on all of them is one on this.

    Attributes
    ----------
    group: which of the optimiser's groups they are of.
    in_float32: whether they are used as they are, whatever the format of the products.
    shapes: by name, in their order, of one network's.
    weights: float32 (R, P).
    momenta: like `weights`, zeros where an optimiser has none yet (SGD begins with its first
        gradient, as from zero); None for a momentum of 0.
    """

    group: int
    in_float32: bool
    shapes: dict[str, torch.Size]
    weights: Tensor
    momenta: Tensor | None

    def each(self, rows: Tensor) -> dict[str, Tensor]:
        """Views (R, ...) of the parameters in a tensor like `weights`, by name.

        Their gradients come together in one tensor again.
        """
        rooms = rows.split([_room(shape) for shape in self.shapes.values()], dim=1)
        return {
            name: room[:, : shape.numel()].unflatten(1, shape)
            for (name, shape), room in zip(self.shapes.items(), rooms, strict=True)
        }


class Stack:
    """Parameters, buffers and momenta of R networks as tensors (R, ...).

    The networks' own tensors, and their optimisers', become views of these: what is changed
    here is changed there, so each can be saved or evaluated by itself. An optimiser that is put in
    the place of one of these, as `Trainer.restore` does, has no part in it: restore before.

    Parameters
    ----------
    networks: of one architecture, on one device.
    optimizers: theirs; every one is `torch.optim.SGD` with as many groups.
    in_float32: names of parameters that layers use as they are.

    Attributes
    ----------
    parts: all parameters that train or are held fixed.
    buffers: by name, (R, ...).
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        optimizers: Sequence[torch.optim.Optimizer],
        in_float32: Collection[str],
    ) -> None:
        groups = {
            id(parameter): index
            for index, group in enumerate(optimizers[0].param_groups)
            for parameter in group["params"]
        }
        of_part: dict[tuple[int, bool], list[str]] = {}
        for name, parameter in networks[0].named_parameters():
            of_part.setdefault((groups[id(parameter)], name in in_float32), []).append(name)
        self.parts = [
            _part(group, kept, names, networks, optimizers)
            for (group, kept), names in of_part.items()
        ]
        self.buffers = {
            name: _shared([network.get_buffer(name) for network in networks])
            for name, _ in networks[0].named_buffers()
        }


def _part(
    group: int,
    in_float32: bool,
    names: Sequence[str],
    networks: Sequence[nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
) -> Part:
    shapes = {name: networks[0].get_parameter(name).shape for name in names}
    like = networks[0].get_parameter(names[0])
    weights = like.detach().new_zeros(len(networks), sum(map(_room, shapes.values())))
    remembers = bool(optimizers[0].param_groups[group]["momentum"])
    part = Part(group, in_float32, shapes, weights, weights.clone() if remembers else None)
    for name, rows in part.each(part.weights).items():
        for network, row in zip(networks, rows, strict=True):
            parameter = network.get_parameter(name)
            row.copy_(parameter.detach())
            parameter.data = row
    if part.momenta is not None:
        for name, rows in part.each(part.momenta).items():
            for network, optimizer, row in zip(networks, optimizers, rows, strict=True):
                state = optimizer.state[network.get_parameter(name)]
                if "momentum_buffer" in state:
                    row.copy_(state["momentum_buffer"])
                state["momentum_buffer"] = row
    return part


def _room(shape: torch.Size) -> int:
    return -(-shape.numel() // ALIGNED) * ALIGNED


def _shared(tensors: Sequence[Tensor]) -> Tensor:
    """One tensor of them all, which they then are views of."""
    stacked = torch.stack([tensor.detach() for tensor in tensors])
    for tensor, view in zip(tensors, stacked, strict=True):
        tensor.data = view
    return stacked
