"""Runs that train the same network and differ only in what is done with it afterwards."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from unskew.remedies.registry import make_remedy, trained_part
from unskew.training.files import RUN_AGAIN, reading
from unskew.training.history import History
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer


def training_twin(recipe: Recipe) -> Recipe | None:
    """The recipe of the run whose training this one may take over; None if it is itself.

    It is the same recipe without the remedies that act after training: adjusted logits or a
    rescaled classifier need no training of their own.

    Raises
    ------
    UserError: the remedy is unknown or its parts cannot go together.
    """
    spec, options = trained_part(recipe.remedy, recipe.remedy_options)
    # What one of the kept parts does to the trained weights must not be done to them twice.
    if spec == recipe.remedy or "after_training" in make_remedy(spec, options).overrides():
        return None
    return recipe.with_(remedy=spec, remedy_options=options)


def adopt(trainer: Trainer, folder: Path, diverged: bool) -> None:
    """Give a trainer the history of its twin's folder and, unless that diverged, the weights.

    Raises
    ------
    UserError: a file of the folder is missing or damaged.
    """
    trainer.state.history = History.load(folder)
    weights = folder / "model.safetensors"
    if not diverged:
        with reading(weights, RUN_AGAIN):
            trainer.state.network.load_state_dict(load_file(weights))
