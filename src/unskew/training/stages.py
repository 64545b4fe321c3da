"""Entering and holding one stage of a run in several (Kang et al. 2020, section 4)."""

from __future__ import annotations

import copy

from torch import nn

from unskew.models.whitening import whitening_of
from unskew.remedies.base import Stage
from unskew.remedies.compose import parts_of
from unskew.remedies.registry import make_remedy
from unskew.training.history import History
from unskew.training.recipe import Recipe
from unskew.training.seeding import seeded


def unbegun(recipe: Recipe, history: History) -> list[str]:
    """Names of the remedy's stages, and of its parts that set in late, that a run has not come to,
    as where `max_steps` ended it.
    """
    remedy = make_remedy(recipe.remedy, recipe.remedy_options)
    begun = {epoch.stage for epoch in history.epochs}
    stages = [stage.name for stage in remedy.stages(recipe.epochs) if stage.name not in begun]
    late = [
        part.name for part in parts_of(remedy)
        if part.begins(recipe.epochs) >= max(len(history.epochs), 1)
    ]  # fmt: skip
    return stages + late


def enter_stage(network: nn.Module, stage: Stage, seed: int, index: int) -> None:
    """Draw the classifier's weights anew if the stage asks for it.

    Parameters
    ----------
    seed, index: the run's seed and the stage's number determine the new weights, on any device.
    """
    if not stage.reset_classifier:
        return
    classifier = network.classifier
    assert isinstance(classifier, nn.Module)
    drawn = copy.deepcopy(classifier).cpu()
    with seeded(seed * 1_000 + index):
        for module in drawn.modules():
            if reset := getattr(module, "reset_parameters", None):
                reset()
    classifier.load_state_dict(drawn.state_dict())


def trainable(network: nn.Module) -> frozenset[str]:
    """Names of the parameters that a network as it was built means to train."""
    return frozenset(name for name, p in network.named_parameters() if p.requires_grad)


def hold_frozen(network: nn.Module, stage: Stage, trains: frozenset[str]) -> None:
    """Put the network into training mode, but for what the stage freezes.

    Where only the classifier trains, the rest computes features as at prediction: BatchNorm
    neither updates its statistics nor uses the batch's.

    Parameters
    ----------
    trains: `trainable` of the network when it was new; what that had frozen stays so.
    """
    network.train(not stage.classifier_only)
    classifier = network.classifier
    assert isinstance(classifier, nn.Module)
    classifier.train()
    head = {id(parameter) for parameter in classifier.parameters()}
    for name, parameter in network.named_parameters():
        on = not stage.classifier_only or id(parameter) in head
        parameter.requires_grad_(on and name in trains)


def rest_stem(network: nn.Module, epochs: int | None, epoch: int) -> None:
    """Stop training a whitening layer's bias after its `epochs` of the stage, if they are limited.

    Its rate is 0 by then, so nothing changes but the work: no gradient goes back to the images.

    Parameters
    ----------
    epoch: 0 for the stage's first.
    """
    stem = whitening_of(network)
    if stem is not None and epochs is not None and epoch >= epochs:
        assert stem.bias is not None
        stem.bias.requires_grad_(False)
