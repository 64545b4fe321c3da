"""Adjustments from the images that are held out to the evaluation that is written."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from unskew.data.skew import StepSkew
from unskew.remedies.registry import make_remedy, names
from unskew.training.outcome import load_evaluation
from unskew.training.recipe import Recipe
from unskew.training.run import execute
from unskew.training.trainer import Trainer

SKEW = StepSkew(profile="step", classes=(0, 1), keep=0.2)
ADJUSTING = [name for name in names() if "adjustment" in make_remedy(name).overrides()]


def test_these_adjust():
    assert {"temperature_scaling", "posthoc_em", "posthoc_bbse", "posthoc_logit_adjustment"} <= set(
        ADJUSTING
    )


@pytest.mark.parametrize("name", ADJUSTING)
def test_the_evaluation_is_of_adjusted_logits_and_the_outcome_says_so(splits, tmp_path, name):
    recipe = Recipe(remedy=name, epochs=1, batch_size=20, skew=SKEW, precision="float32")
    outcome = execute(recipe, splits, tmp_path)
    assert outcome.message
    saved = load_file(tmp_path / "logits.safetensors")
    adjusted = (saved["logits"] * saved["scale"] + saved["shift"]).double().softmax(1)
    chosen = adjusted[torch.arange(len(saved["labels"])), saved["labels"]]
    assert load_evaluation(tmp_path).nll == pytest.approx(-chosen.log().mean().item(), rel=1e-4)


@pytest.mark.parametrize("name", ["posthoc_bbse", "temperature_scaling"])
def test_what_is_held_out_is_not_trained_on_and_small_classes_keep_most(splits, name):
    recipe = Recipe(remedy=name, epochs=1, batch_size=20, skew=SKEW)
    shown = Trainer(recipe, splits).shown
    assert shown.held_out is not None
    assert not set(shown.held_out.positions) & set(shown.train.positions)
    np.testing.assert_array_equal(shown.held_out.counts(), [1, 1, 6, 6])
    np.testing.assert_array_equal(shown.train.counts(), [11, 11, 54, 54])
