"""The optimiser of a recipe, and the learning rate of each of its steps."""

from __future__ import annotations

import math

import torch
from torch import nn

from unskew.errors import UserError
from unskew.models.whitening import whitening_of
from unskew.remedies.base import Remedy, Stage
from unskew.training.groups import parameter_groups
from unskew.training.muon import Muon
from unskew.training.recipe import Recipe


def check_optimizer(recipe: Recipe, network: nn.Module) -> None:
    """Whether the network has what the recipe's optimiser is to treat apart.

    Raises
    ------
    UserError: Muon is asked for a network without filters, or stem_epochs is given where no layer
        whitens.
    """
    if recipe.optimizer == "muon" and not any(p.dim() == 4 for p in network.parameters()):
        raise UserError(
            f"optimizer = 'muon' moves the filters of convolutions, and {recipe.model!r} has none: "
            "choose sgd or adamw"
        )
    if recipe.stem_epochs is not None and whitening_of(network) is None:
        raise UserError(
            f"stem_epochs only acts with a whitening layer, and model {recipe.model!r} has none: "
            "leave it out"
        )


def make_optimizer(
    recipe: Recipe,
    network: nn.Module,
    auxiliary: nn.Module | None,
    remedy: Remedy,
    weight_decay: float,
) -> torch.optim.Optimizer:
    """SGD, AdamW or Muon over the parameters that train.

    Weight decay is PyTorch's: SGD adds λ·w to the gradient, which is the gradient of
    (λ/2)·‖w‖²; AdamW decouples it (Loshchilov & Hutter 2019). `decay = "weights"` excludes
    biases and norm layers, that is, every parameter of fewer than two dimensions. With
    `decoupled_decay` SGD adds (λ / rate)·w, each group its own rate.

    Parameters
    ----------
    auxiliary: trained beside the network, if a remedy has one.
    remedy: may bring its own parameter groups for the network.
    weight_decay: λ, the recipe's or a stage's.

    Raises
    ------
    UserError: as `check_optimizer`.
    """
    check_optimizer(recipe, network)
    groups = parameter_groups(recipe, network, auxiliary, remedy, weight_decay)
    if recipe.optimizer == "adamw":
        # `capturable` lets a GPU record its steps; a fused one computes the same either way.
        on_gpu = any(p.is_cuda for p in network.parameters())
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True, capturable=on_gpu)
    if recipe.optimizer == "muon":
        return Muon(
            groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov
        )
    return torch.optim.SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        fused=True,
    )


def group_rates(
    optimizer: torch.optim.Optimizer, recipe: Recipe, stage: Stage, step: int, steps_per_epoch: int
) -> list[float]:
    """The learning rates of an optimiser's groups in one step, in their order.

    Parameters
    ----------
    step: 0 for the first of the stage.
    """
    rate = learning_rate(recipe, step, steps_per_epoch, stage.epochs)
    rates = []
    for group in optimizer.param_groups:
        own = rate
        if group.get("stem") and recipe.stem_epochs is not None:
            left = 1 - step / (recipe.stem_epochs * steps_per_epoch)
            own = recipe.learning_rate * max(left, 0.0)
        rates.append(own * stage.learning_rate * group.get("lr_factor", 1.0))
    return rates


def stage_decay(recipe: Recipe, stage: Stage) -> float:
    """λ of a stage as `make_optimizer` takes it: the recipe's, or the stage's own.

    A stage's own is the λ of an L2 penalty, as its paper has it, whether the recipe's is decoupled
    or not. Only AdamW, which has no other decay, decouples it too.
    """
    if stage.weight_decay is None:
        return recipe.weight_decay
    return stage.weight_decay * (recipe.learning_rate if recipe.decoupled_decay else 1.0)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate of one step, a pure function of its position.

    Parameters
    ----------
    step: 0 for the first of the stage.
    steps_per_epoch: of the stage's epochs.
    epochs: of the stage. Warm-up and milestones, which the recipe counts in epochs of the whole
        run, keep their share of a stage that is shorter.
    """
    peak, share_of_run = recipe.learning_rate, epochs / recipe.epochs
    warmup = round(min(recipe.warmup_epochs * share_of_run, epochs) * steps_per_epoch)
    if step < warmup:
        return peak * (step + 1) / warmup
    total = epochs * steps_per_epoch
    match recipe.schedule:
        case "step":
            passed = [m for m in recipe.milestones if step >= m * share_of_run * steps_per_epoch]
            return peak * recipe.drop ** len(passed)
        case "cosine":
            # Loshchilov & Hutter 2017, equation 5, without restarts, to zero.
            return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
        case "one_cycle":
            # Smith & Topin 2019: linearly up over the first 30 %, linearly down to near zero.
            top = 0.3 * total
            share = step / top if step < top else (total - step) / (total - top)
            return peak * max(share, 0.02)
        case "triangle":
            top = recipe.rise * total
            if step < top:
                return peak * (recipe.rise_from + (1 - recipe.rise_from) * step / top)
            return peak * (1 - (1 - recipe.fall_to) * (step - top) / (total - top))
        case _:
            return peak


def scale_momentum(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Multiply what SGD or Muon has gathered of earlier gradients; AdamW forgets by itself."""
    if factor == 1.0:
        return
    for state in optimizer.state.values():
        gathered = state.get("momentum_buffer")
        if gathered is not None:
            gathered.mul_(factor)
