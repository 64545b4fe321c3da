"""The optimiser of a recipe, and the learning rate of each of its steps."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from unskew.remedies.base import Remedy
from unskew.training.recipe import Recipe


def make_optimizer(
    recipe: Recipe,
    network: nn.Module,
    auxiliary: nn.Module | None,
    remedy: Remedy,
    weight_decay: float,
) -> torch.optim.Optimizer:
    """SGD or AdamW over the parameters that train.

    Weight decay is PyTorch's: SGD adds λ·w to the gradient, which is the gradient of
    (λ/2)·‖w‖²; AdamW decouples it (Loshchilov & Hutter 2019). `decay = "weights"` excludes
    biases and norm layers, that is, every parameter of fewer than two dimensions.

    Parameters
    ----------
    auxiliary: trained beside the network, if a remedy has one.
    remedy: may bring its own parameter groups for the network.
    weight_decay: λ, the recipe's or a stage's.
    """
    groups = remedy.parameter_groups(network, weight_decay)
    if groups is None:
        groups = decay_groups(network, weight_decay, recipe.decay)
    if auxiliary is not None:
        groups += decay_groups(auxiliary, weight_decay, recipe.decay)
    for group in groups:
        group["params"] = [p for p in group["params"] if p.requires_grad]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
    return torch.optim.SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        fused=True,
    )


def decay_groups(module: nn.Module, weight_decay: float, decay: str) -> list[dict[str, Any]]:
    """Parameter groups with λ on all parameters or on weights only."""
    parameters = list(module.parameters())
    if decay == "all":
        return [{"params": parameters, "weight_decay": weight_decay}]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate of one step, a pure function of its position.

    Parameters
    ----------
    step: 0 for the first of the stage.
    steps_per_epoch: of the stage's epochs.
    epochs: of the stage.
    """
    peak = recipe.learning_rate
    warmup = min(recipe.warmup_epochs, epochs) * steps_per_epoch
    if step < warmup:
        return peak * (step + 1) / warmup
    total = epochs * steps_per_epoch
    match recipe.schedule:
        case "step":
            epoch = step // steps_per_epoch
            return peak * recipe.drop ** sum(epoch >= milestone for milestone in recipe.milestones)
        case "cosine":
            # Loshchilov & Hutter 2017, equation 5, without restarts, to zero.
            return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
        case "one_cycle":
            # Smith & Topin 2019: linearly up over the first 30 %, linearly down to near zero.
            top = 0.3 * total
            share = step / top if step < top else (total - step) / (total - top)
            return peak * max(share, 0.02)
        case _:
            return peak
