"""Entering and holding one stage of a run in several (Kang et al. 2020, section 4)."""

from __future__ import annotations

import copy

from torch import nn

from unskew.models.whitening import whitening_of
from unskew.remedies.base import Stage
from unskew.remedies.registry import make_remedy
from unskew.training.history import History
from unskew.training.recipe import Recipe
from unskew.training.seeding import seeded


def unbegun(recipe: Recipe, history: History) -> list[str]:
    """Names of the remedy's stages that a run has not come to, as where `max_steps` ended it."""
    stages = make_remedy(recipe.remedy, recipe.remedy_options).stages(recipe.epochs)
    begun = {epoch.stage for epoch in history.epochs}
    return [stage.name for stage in stages if stage.name not in begun]


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


def hold_frozen(network: nn.Module, stage: Stage) -> None:
    """Put the network into training mode, but for what the stage freezes.

    Where only the classifier trains, the rest computes features as at prediction: BatchNorm
    neither updates its statistics nor uses the batch's.
    """
    network.train(not stage.classifier_only)
    classifier = network.classifier
    assert isinstance(classifier, nn.Module)
    classifier.train()
    for parameter in network.parameters():
        parameter.requires_grad_(not stage.classifier_only)
    for parameter in classifier.parameters():
        parameter.requires_grad_(True)


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
