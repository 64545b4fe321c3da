"""On a GPU no step of a run waits for the device."""

import pytest

from tests.gpu import waiting_forbidden
from unskew.data.skew import StepSkew
from unskew.remedies.registry import names
from unskew.training.captured import PLAIN_CALLS
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

BEFORE = PLAIN_CALLS + 1
"""Steps of an epoch to let pass: the first draws it, compiles and allocates, the last is recorded,
for which the device has to be idle."""

OPTIONS = {"cutmix": {"probability": 1.0}}
"""Batches that are not mixed would have a recording of their own, later in the epoch."""


@pytest.mark.gpu
@pytest.mark.parametrize("remedy", ["none", *names()])
def test_no_step_waits_for_the_device(splits, remedy):
    skew = StepSkew(classes=(0, 1), keep=0.5)
    # Late epochs and second stages as well: what is deferred begins there.
    recipe = Recipe(remedy=remedy, batch_size=10, epochs=5, skew=skew, weight_decay=1e-3)
    if remedy in OPTIONS:
        recipe = recipe.with_(remedy_options={remedy: OPTIONS[remedy]})
    trainer = Trainer(recipe, splits, "cuda")
    while not trainer.finished:
        steps = trainer.epoch()
        for _ in range(BEFORE):
            next(steps)
        with waiting_forbidden():
            for _ in range(4):
                next(steps)
        for _ in steps:  # the rest, whose last one fetches the losses
            pass
