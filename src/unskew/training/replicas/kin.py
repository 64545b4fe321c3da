"""Which runs can be trained at once."""

from __future__ import annotations

from unskew.models.registry import network_class
from unskew.remedies.base import IN_THE_STEP, Remedy
from unskew.remedies.compose import parts_of
from unskew.remedies.registry import make_remedy
from unskew.training.recipe import Recipe

OWN = ("seed", "weight_decay", "learning_rate")
"""Fields in which runs that train together may differ."""

COMMON_HOOKS = frozenset({"prepare", "draw", "transform"})
"""By which a remedy replaces the classifier, chooses images and changes them: all runs that train
together have the same one do it, or none."""

OWN_HOOKS = frozenset({"check", "loss", "class_weights", "after_training", "adjustment"})
"""What each of them may do in its own way: what is made of the logits, and what comes before and
after training."""

JOINT_HOOKS = COMMON_HOOKS | OWN_HOOKS
"""All that a remedy may do there. What reaches into the step, or divides the run into stages,
trains on its own."""


def kinship(recipe: Recipe) -> str | None:
    """The same text for all recipes that can train together; None if this one trains alone.

    Raises
    ------
    UserError: the network or the remedy is unknown, or its parts cannot go together.
    """
    remedy = make_remedy(recipe.remedy, recipe.remedy_options)
    hooks = remedy.overrides()
    reaches_in = (
        hooks - JOINT_HOOKS or remedy.views or (hooks & IN_THE_STEP and not remedy.side_by_side)
    )
    own_step = (
        recipe.optimizer != "sgd"
        or recipe.decoupled_decay
        or recipe.bias_learning_rate is not None
        or recipe.stem_epochs is not None
    )
    if reaches_in or own_step or not network_class(recipe.model).side_by_side:
        return None
    common = [repr(part) for part in parts_of(remedy) if _is_common(part)]
    return " ".join([likeness(recipe.with_(remedy="none", remedy_options={})), *common])


def likeness(recipe: Recipe) -> str:
    """The same text for all recipes that differ in what is a run's `OWN` alone: theirs is one
    loss.
    """
    return recipe.with_(**{name: Recipe.model_fields[name].default for name in OWN}).digest


def _is_common(part: Remedy) -> bool:
    """Whether all of a group have this part of a remedy, or none: it changes the network, or which
    images are shown and how.
    """
    return bool(part.overrides() & COMMON_HOOKS or part.held_out)
