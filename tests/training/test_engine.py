"""What a run is computed with is used, and recorded."""

import pytest

from unskew.kernels.library import load
from unskew.models.registry import names, network_class
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

FUSED = [name for name in names() if network_class(name).kernels]


@pytest.mark.parametrize("model", FUSED)
def test_a_run_in_bfloat16_uses_the_kernels_that_could_be_built(splits, model):
    trainer = Trainer(Recipe(model=model, precision="bfloat16"), splits)
    built = not any(load(name).reason for name in network_class(model).kernels)
    assert trainer.state.network.fused is built
    assert (trainer.kernels == "fused") is built


@pytest.mark.parametrize("model", FUSED)
def test_a_run_in_float32_does_without_and_says_why(splits, model):
    trainer = Trainer(Recipe(model=model, precision="float32"), splits)
    assert not trainer.state.network.fused
    assert trainer.kernels == "plain: the kernels are for bfloat16"


@pytest.mark.parametrize(
    ("model", "options", "why"),
    [("lstm", {"hidden_size": 100}, "64 units"), ("whitened_cnn", {"width": 10}, "16 channels")],
)
def test_a_network_that_no_kernel_can_take_is_recorded_as_plain(splits, model, options, why):
    recipe = Recipe(model=model, model_options=options, precision="bfloat16")
    trainer = Trainer(recipe, splits)
    assert not trainer.state.network.fused
    assert why in trainer.kernels
