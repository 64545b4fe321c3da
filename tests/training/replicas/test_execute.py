"""Which way one run is trained, and what becomes of a full disk."""

import warnings

import pytest

from unskew.errors import UserError
from unskew.training.events import RunEnded
from unskew.training.recipe import Recipe
from unskew.training.replicas import execute as module
from unskew.training.replicas.execute import Job, execute_together

RECIPE = Recipe(epochs=1, batch_size=64, precision="float32")


def test_a_full_disk_is_told_in_a_sentence(monkeypatch, splits, tmp_path):
    def full(state, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_state", full)
    job = Job(RECIPE, tmp_path / "run")
    with pytest.raises(UserError, match=r"run.*No space left on device"):
        execute_together([job], splits)


def test_a_finished_run_says_that_it_is_over(splits, tmp_path):
    told = []
    job = Job(RECIPE, tmp_path / "run", told.append)
    (first,) = execute_together([job], splits)
    told.clear()
    assert execute_together([job], splits) == [first]
    assert told == [RunEnded(first.run_id, first.outcome, first.message)]


@pytest.mark.gpu
def test_on_a_gpu_judging_what_trained_together_gathers_no_weights(splits, tmp_path):
    """cuDNN does, and warns, where they do not lie together."""
    recipes = [RECIPE.with_(model="lstm", kernels="off", seed=seed) for seed in range(2)]
    jobs = [Job(recipe, tmp_path / recipe.run_id) for recipe in recipes]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*contiguous chunk of memory.*")
        execute_together(jobs, splits, device="cuda")
