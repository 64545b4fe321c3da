"""On a GPU no step of a run waits for the device."""

import pytest

from tests.gpu import waiting_forbidden
from unskew.data.skew import StepSkew
from unskew.remedies.registry import names
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

WAITING = {"oversample_augmented"}
"""It picks the copies of a batch by a mask, whose number only the device knows."""


@pytest.mark.gpu
@pytest.mark.parametrize("remedy", ["none", *(n for n in names() if n not in WAITING)])
def test_no_step_waits_for_the_device(splits, remedy):
    skew = StepSkew(classes=(0, 1), keep=0.5)
    # Late epochs and second stages as well: what is deferred begins there.
    recipe = Recipe(remedy=remedy, batch_size=10, epochs=5, skew=skew, weight_decay=1e-3)
    trainer = Trainer(recipe, splits, "cuda")
    while not trainer.finished:
        steps = trainer.epoch()
        next(steps)  # the first one draws the epoch, compiles and allocates
        with waiting_forbidden():
            for _ in range(4):
                next(steps)
        for _ in steps:  # the rest, whose last one fetches the losses
            pass
