"""Whether a recipe can be run at all, said before any of a study's hours are spent."""

from __future__ import annotations

import torch

from unskew.data.imageset import Splits
from unskew.errors import UserError
from unskew.models.registry import build, network_class
from unskew.remedies.base import Remedy
from unskew.remedies.registry import make_remedy
from unskew.training.optimisation import check_optimizer
from unskew.training.recipe import Recipe
from unskew.training.shown import select


def check_recipe(recipe: Recipe) -> Remedy:
    """What can be said of a recipe before its data are opened, which may take long.

    Returns
    -------
    The recipe's remedy.

    Raises
    ------
    UserError: unknown model or remedy, an option of the remedy or label smoothing that does not
        go with it, too few epochs for its stages, or no weight decay, a rule of its own for it or
        an optimiser that does without, with a remedy that divides it.
    """
    network_class(recipe.model)
    remedy = make_remedy(recipe.remedy, recipe.remedy_options)
    if recipe.label_smoothing and "loss" in remedy.overrides():
        raise UserError(
            f"label_smoothing does not act with remedy {recipe.remedy!r}, which replaces the "
            "loss: set it to 0"
        )
    # Where the classifier alone trains there are no layers for it to be divided among.
    whole = [stage for stage in remedy.stages(recipe.epochs) if not stage.classifier_only]
    decays = (stage.weight_decay for stage in whole)
    if remedy.divides_decay and not any(recipe.weight_decay if d is None else d for d in decays):
        raise UserError(
            f"remedy {recipe.remedy!r} says where weight decay acts, and weight_decay is 0: give "
            "it a value above 0"
        )
    if remedy.divides_decay and recipe.decay != "all" and "auxiliary" not in remedy.overrides():
        raise UserError(
            f"decay = {recipe.decay!r} does not act with remedy {recipe.remedy!r}, which says "
            "itself where weight decay acts: leave it out"
        )
    if remedy.divides_decay and recipe.optimizer == "muon":
        raise UserError(
            f"remedy {recipe.remedy!r} says where weight decay acts, and optimizer = 'muon' has "
            "none on filters: choose 'sgd'"
        )
    return remedy


def check_fits(recipe: Recipe, splits: Splits) -> None:
    """Whether a recipe can be run on these data, without training a step.

    Raises
    ------
    UserError: as `check_recipe` and `check_optimizer`; or the skew, the batch size, the network or
        the remedy does not fit.
    """
    remedy = check_recipe(recipe)
    shown = select(recipe, splits, remedy.held_out)
    train = splits.train
    with torch.device("meta"):  # shapes only: no weights are made and no random number is drawn
        network = build(recipe.model, train.num_classes, train.image_shape[0], recipe.model_options)
    check_optimizer(recipe, network)
    remedy.check(shown.facts(recipe, network.num_features))
