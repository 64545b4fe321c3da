"""The look at the judged images after training: taken once, and of the weights as they are."""

import pytest
import torch

import unskew.training.trainer as module
from unskew.training.predict import predict_logits
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

RECIPE = Recipe(epochs=2, batch_size=32)


@pytest.fixture
def looks(monkeypatch):
    """A list that grows by one with every look at images."""
    taken = []

    def counted(*given, **options):
        taken.append(given)
        return predict_logits(*given, **options)

    monkeypatch.setattr(module, "predict_logits", counted)
    return taken


def fresh_look(trainer):
    views = trainer.recipe.test_views
    return predict_logits(trainer.state.network, trainer.judged_batches, trainer.dtype, views=views)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 2),
        ({"remedy": "posthoc_logit_adjustment"}, 2),
        ({"max_steps": 1}, 1),
        ({"test_views": "flip"}, 3),
        ({"remedy": "tau_normalised"}, 3),
        ({"remedy": "crt"}, 2),
    ],
)
def test_the_last_look_is_taken_again_only_where_it_would_differ(splits, looks, changes, count):
    trainer = Trainer(RECIPE.with_(**changes), splits)
    trainer.fit()
    judged = trainer.judge()
    assert len(looks) == count
    assert torch.equal(judged, fresh_look(trainer))


def test_a_restored_trainer_looks_for_itself(splits, looks):
    trainer = Trainer(RECIPE, splits)
    trainer.fit()
    other = Trainer(RECIPE.with_(seed=1), splits)
    other.fit()
    other.restore(trainer.save())
    del looks[:]
    assert torch.equal(other.judge(), trainer.judge())
    assert len(looks) == 1


def test_what_follows_training_is_done_once(splits):
    trainer = Trainer(RECIPE.with_(remedy="tau_normalised"), splits)
    trainer.fit()
    assert torch.equal(trainer.judge(), trainer.judge())


def test_what_follows_training_is_not_done_again_after_it_was_saved(splits):
    trainer, again = (Trainer(RECIPE.with_(remedy="tau_normalised"), splits) for _ in range(2))
    trainer.fit()
    judged = trainer.judge()
    again.restore(trainer.save())
    assert torch.equal(again.judge(), judged)


def test_no_look_outlives_the_weights_it_was_of(splits):
    trainer = Trainer(RECIPE, splits)
    for _ in trainer.epoch():
        pass
    next(trainer.epoch())
    assert torch.equal(trainer.judge(), fresh_look(trainer))
