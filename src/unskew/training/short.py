"""Statistics by which batch norms see new images, where a run is too short to gather them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from unskew.remedies.base import Stage
from unskew.training.outcome import SHORT
from unskew.training.recipe import Recipe


def is_short(recipe: Recipe, stages: Sequence[Stage], steps: int) -> bool:
    """Whether a whole run has fewer than `SHORT` steps.

    Parameters
    ----------
    steps: of an epoch.
    """
    planned = steps * sum(stage.epochs for stage in stages)
    return min(planned, recipe.max_steps or planned) < SHORT


def gathering(network: nn.Module) -> list[nn.Module]:
    """The network's norms that gather statistics; those of frozen layers keep what they have."""
    return [
        module for module in network.modules()
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats
    ]  # fmt: skip


@torch.no_grad()
def gather(norms: Sequence[nn.Module], steps: int, show: Callable[[int], object]) -> None:
    """Let norms gather their statistics anew, at the weights of now, over batches shown again.

    Each batch counts the same: "precise" batch norm (Wu & Johnson 2021, "Rethinking 'Batch' in
    BatchNorm", section 3). After 25 steps on 620 photographs a network right on 0.95 of them was so
    on 0.48 of new ones by its running averages, and on 0.90 by these.

    Parameters
    ----------
    norms: each has a `momentum`, the share of the latest batch.
    show: passes a batch through the network in training mode; told the batch's number.
    """
    momenta = [norm.momentum for norm in norms]
    try:
        for step in range(steps if norms else 0):
            for norm in norms:
                norm.momentum = 1 / (step + 1)  # type: ignore[assignment]
            show(step)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
