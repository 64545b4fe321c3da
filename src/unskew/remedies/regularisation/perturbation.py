"""Looking at the loss from a point near the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def optimised(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """The optimiser's parameters that have a gradient."""
    groups = optimizer.param_groups
    return [p for group in groups for p in group["params"] if p.grad is not None]


@contextmanager
def climbed(parameters: list[nn.Parameter], rho: float) -> Iterator[None]:
    """Within the block the parameters stand at w + ρ·g/‖g‖₂, g their gradient as it is now.

    ‖g‖ is taken over all of them together (Foret et al. 2021, equation 2). Afterwards they are
    back to the last bit: public code subtracts what it has added and lets rounding pile up.
    """
    with torch.no_grad():
        slopes = [p.grad for p in parameters if p.grad is not None]
        saved = [p.clone() for p in parameters]
        if slopes:
            norm = torch.stack([slope.float().norm() for slope in slopes]).norm()
            step = rho / norm.clamp(min=1e-12)
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter.add_(slope * step)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, before in zip(parameters, saved, strict=True):
                parameter.copy_(before)


@contextmanager
def statistics_held(network: nn.Module) -> Iterator[None]:
    """Within the block BatchNorm uses the batch's statistics and leaves its running ones alone.

    Otherwise the running mean and variance would follow the perturbed network, which is never
    used for prediction.
    """
    layers = [m for m in network.modules() if isinstance(m, _NormBase) and m.track_running_stats]
    for layer in layers:
        # Frozen layers (in evaluation mode) must go on using their running statistics.
        layer.track_running_stats = not layer.training
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
