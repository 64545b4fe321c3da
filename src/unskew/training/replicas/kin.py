"""Which runs can be trained at once."""

from __future__ import annotations

from unskew.remedies.base import IN_THE_STEP
from unskew.remedies.registry import make_remedy
from unskew.training.recipe import Recipe

OWN = ("seed", "weight_decay", "learning_rate")
"""Fields in which runs that train together may differ."""

JOINT_HOOKS = frozenset(
    {
        "check", "prepare", "draw", "transform", "loss", "class_weights", "after_training",
        "adjustment",
    }
)  # fmt: skip
"""What a remedy may do there: replace the classifier, choose and change images, weigh losses, act
after training. What reaches into the step, or divides the run into stages, trains on its own."""


def kinship(recipe: Recipe) -> str | None:
    """The same text for all recipes that can train together; None if this one trains alone.

    Raises
    ------
    UserError: the remedy is unknown or its parts cannot go together.
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
    if reaches_in or own_step:
        return None
    defaults = {name: Recipe.model_fields[name].default for name in OWN}
    return recipe.with_(**defaults).digest
