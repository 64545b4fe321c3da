"""A training step that is recorded and replayed, whatever its batches and rates are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from unskew.data.transfer import moved
from unskew.remedies.base import Batch
from unskew.training.captured import Captured
from unskew.training.flat import flatten, unflatten

Step = Callable[[Batch], tuple[Tensor, Tensor]]
"""A batch to (loss, images classified right), scalars on the device."""

RECORDED_ON = frozenset({"cuda"})
"""Kinds of devices that steps are recorded on."""


class Replayed:
    """A step that is `Captured`, once for each layout of its batches.

    A remedy may mix some batches only, and an epoch's last one may be shorter: each layout comes
    to its own recording, or does not come often enough to be recorded.

    The optimiser's groups hold their learning rates as floats, as ever. A recording would keep a
    float as it was, so while the step is computed it finds them as tensors on the device.

    Parameters
    ----------
    step: must not wait for the device, nor depend on anything that changes from step to step and
        is not in a tensor.
    optimizer: that the step uses.
    device: where it is computed.
    """

    def __init__(self, step: Step, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self._step, self._optimizer, self._device = step, optimizer, device
        self._captured: dict[Batch, Captured] = {}

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the step returns; the next call leaves it alone."""
        tensors, layout = flatten(batch)
        if layout not in self._captured:
            step = partial(_on_tensors, self._step, self._optimizer, layout)
            self._captured[layout] = Captured(step, self._device)
        rates = torch.tensor(
            [group["lr"] for group in self._optimizer.param_groups], dtype=torch.float32
        )
        # A remedy may have left a number on the CPU: recorded there, it would stay what it was.
        inputs = (moved(tensor, batch.images) for tensor in (rates, *tensors))
        loss, right = self._captured[layout](*inputs)
        return loss.clone(), right.clone()

    @property
    def engine(self) -> str:
        """How the step is computed, for people: "graph", or "plain" and why."""
        reasons = (captured.reason for captured in self._captured.values() if captured.reason)
        why = next(reasons, "")
        return f"plain: {why}" if why else "graph"


# A function, because a method would hold on to what holds on to it, and a recording whose epoch is
# over shall give its memory back at once and not when Python next looks for such rings.
def _on_tensors(
    step: Step, optimizer: torch.optim.Optimizer, layout: Batch, rates: Tensor, *tensors: Tensor
) -> tuple[Tensor, Tensor]:
    """The step of a batch taken apart, at rates that are tensors."""
    with _rates(optimizer, rates):
        return step(unflatten(tensors, layout))


@contextmanager
def _rates(optimizer: torch.optim.Optimizer, rates: Tensor) -> Iterator[None]:
    """Within the block each group's learning rate is its element of `rates`, float32 (groups,)."""
    floats = [group["lr"] for group in optimizer.param_groups]
    for group, rate in zip(optimizer.param_groups, rates.unbind(), strict=True):
        group["lr"] = rate
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, floats, strict=True):
            group["lr"] = rate
