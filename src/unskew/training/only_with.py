"""Settings of a recipe that do nothing but beside certain others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unskew.training.recipe import Recipe

ONLY_WITH: dict[str, tuple[str, Callable[[Recipe], bool]]] = {
    "milestones": ("schedule = 'step'", lambda r: r.schedule == "step"),
    "drop": ("schedule = 'step'", lambda r: r.schedule == "step"),
    "rise": ("schedule = 'triangle'", lambda r: r.schedule == "triangle"),
    "fall_to": ("schedule = 'triangle'", lambda r: r.schedule == "triangle"),
    "rise_from": (
        "schedule = 'triangle' and a rise above 0",
        lambda r: r.schedule == "triangle" and r.rise > 0,
    ),
    "momentum": ("optimizer = 'sgd' or 'muon'", lambda r: r.optimizer != "adamw"),
    "nesterov": (
        "optimizer = 'sgd' or 'muon' and a momentum above 0",
        lambda r: r.optimizer != "adamw" and r.momentum > 0,
    ),
    "filter_learning_rate": ("optimizer = 'muon'", lambda r: r.optimizer == "muon"),
    "filter_momentum": ("optimizer = 'muon'", lambda r: r.optimizer == "muon"),
    "decoupled_decay": ("optimizer = 'sgd' or 'muon'", lambda r: r.optimizer != "adamw"),
    "alternate_flips": (
        "an augmentation that flips",
        lambda r: r.augmentation != "none",
    ),
}
"""By field: what it only acts with, in words and as a condition."""


def acts(recipe: Recipe, field: str) -> bool:
    """Whether another value of the field would make another run of this recipe."""
    return field not in ONLY_WITH or ONLY_WITH[field][1](recipe)
