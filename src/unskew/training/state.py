"""Everything that changes while a run trains, as one object with one way in and one way out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from unskew.training.checkpoint import State
from unskew.training.history import EpochRecord, History


@dataclass
class Position:
    """Where in the run the next step lies.

    Attributes
    ----------
    stage: index of the stage.
    epoch: epochs done in this stage.
    step: steps done in this epoch.
    correct, seen: images classified right and shown in this epoch so far.
    seconds: spent on this epoch's steps so far.
    objective: steps of the whole run that were done when what is minimised last changed.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    objective: int = 0

    @property
    def rate(self) -> float:
        """Images per second of this epoch's steps so far."""
        return self.seen / max(self.seconds, 1e-9)


@dataclass
class TrainingState:
    """Weights, optimiser, random states, position in the data and history.

    The learning rate and the order and augmentation of the images follow from the recipe and
    the position, so they are not part of it. It can be saved and restored between any two
    steps: the run that goes on from it is the run that was never stopped.
    """

    network: nn.Module
    auxiliary: nn.Module | None
    optimizer: torch.optim.Optimizer
    position: Position = field(default_factory=Position)
    history: History = field(default_factory=History)

    def state_dict(self) -> State:
        """Tensors by name, and the rest as plain values: copies, which later steps leave alone."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        if self.auxiliary is not None:
            tensors |= {f"auxiliary.{k}": v for k, v in self.auxiliary.state_dict().items()}
        for index, parameter in enumerate(self._optimised()):
            for name, value in self.optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{name}"] = value
        # Our own draws need no generator state; a remedy written by a user may use PyTorch's.
        tensors["random.cpu"] = torch.get_rng_state()
        if self._device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self._device)
        return {name: tensor.detach().clone() for name, tensor in tensors.items()}, {
            "position": asdict(self.position),
            "losses": list(self.history.losses),
            "epochs": [asdict(record) for record in self.history.epochs],
        }

    def load_state_dict(self, state: State) -> None:
        """Take over what `state_dict` gave."""
        tensors, rest = state
        self.network.load_state_dict(_under("network.", tensors))
        if self.auxiliary is not None:
            self.auxiliary.load_state_dict(_under("auxiliary.", tensors))
        self.optimizer.state.clear()
        for index, parameter in enumerate(self._optimised()):
            found = _under(f"optimizer.{index}.", tensors)
            if found:
                self.optimizer.state[parameter] = {
                    # A file knows no memory format, and fused optimisers rely on the parameter's.
                    # A fused one wants its count of steps beside the parameter as well.
                    name: torch.empty_like(parameter).copy_(value)
                    if value.dim()
                    else value.to(parameter.device, copy=True)
                    for name, value in found.items()
                }
        torch.set_rng_state(tensors["random.cpu"])
        if self._device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"].cpu(), self._device)
        self.position = Position(**rest["position"])
        self.history = History(
            list(rest["losses"]), [EpochRecord(**record) for record in rest["epochs"]]
        )

    @property
    def _device(self) -> torch.device:
        return next(self.network.parameters()).device

    def _optimised(self) -> list[nn.Parameter]:
        groups: list[dict[str, Any]] = self.optimizer.param_groups
        return [parameter for group in groups for parameter in group["params"]]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
