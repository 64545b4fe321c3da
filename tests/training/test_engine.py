"""What a run is computed with is used, and recorded."""

import pytest
import torch

from unskew.kernels.formats import source
from unskew.kernels.library import load
from unskew.models.registry import build, names, network_class
from unskew.training.engine import use_kernels
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

FUSED = [name for name in names() if network_class(name).kernels]


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("model", FUSED)
def test_a_run_uses_the_kernels_that_could_be_built(splits, model, precision):
    trainer = Trainer(Recipe(model=model, precision=precision), splits)
    needed = [source(name, getattr(torch, precision)) for name in network_class(model).kernels]
    built = not any(load(name).reason for name in needed)
    assert trainer.state.network.fused is built
    if built:
        tiled = any(name.startswith("amx/") for name in needed)
        assert trainer.kernels == ("fused, in matrix tiles" if tiled else "fused")
    else:
        assert trainer.kernels.startswith("plain: ")


def test_tiles_can_be_forbidden(splits, monkeypatch):
    monkeypatch.setenv("UNSKEW_KERNELS", "no-tiles")
    assert "tiles" not in Trainer(Recipe(precision="bfloat16"), splits).kernels


def test_a_recipe_may_do_without(splits):
    trainer = Trainer(Recipe(precision="float32", kernels="off"), splits)
    assert not trainer.state.network.fused
    assert trainer.kernels == "plain: the recipe does without kernels"


def test_another_format_has_no_kernels():
    assert "bfloat16 and float32" in use_kernels(build("cnn", 4, 16), "cpu", torch.float16)


@pytest.mark.parametrize(
    ("model", "options", "why"),
    [("lstm", {"hidden_size": 100}, "64 units"), ("whitened_cnn", {"width": 10}, "16 channels")],
)
def test_a_network_that_no_kernel_can_take_is_recorded_as_plain(splits, model, options, why):
    recipe = Recipe(model=model, model_options=options, precision="bfloat16")
    trainer = Trainer(recipe, splits)
    assert not trainer.state.network.fused
    assert why in trainer.kernels
