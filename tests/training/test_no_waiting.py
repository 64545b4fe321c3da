"""On a GPU no step of an epoch waits for the device."""

import pytest
import torch

from unskew.data.skew import StepSkew
from unskew.remedies.registry import names
from unskew.training.recipe import Recipe
from unskew.training.trainer import REPORT_EVERY, Trainer

WAITING = {"oversample_augmented"}
"""It picks the copies of a batch by a mask, whose number only the device knows."""


@pytest.mark.gpu
@pytest.mark.parametrize("remedy", ["none", *(n for n in names() if n not in WAITING)])
def test_no_step_waits_for_the_device(splits, remedy):
    recipe = Recipe(remedy=remedy, batch_size=20, epochs=2, skew=StepSkew(classes=(0, 1), keep=0.5))
    trainer = Trainer(recipe, splits, "cuda")
    steps = trainer.epoch()
    next(steps)  # the first one compiles and allocates
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in steps:
            if step + 1 >= min(REPORT_EVERY, 5):
                break
    finally:
        torch.cuda.set_sync_debug_mode("default")
