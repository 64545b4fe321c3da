"""A run too short for its norms to follow gathers their statistics anew."""

import pytest
import torch
from torch import nn

from unskew.remedies.base import Stage
from unskew.training import short
from unskew.training.outcome import SHORT
from unskew.training.recipe import Recipe
from unskew.training.replicas import Replicas
from unskew.training.short import gather, gathering, is_short
from unskew.training.trainer import Trainer

TINY = Recipe(
    model="lstm", model_options={"hidden_size": 16, "hidden": 16}, epochs=2, batch_size=60,
    precision="float32", augmentation="flip", kernels="off",
)  # fmt: skip


@pytest.fixture
def never_short(monkeypatch):
    monkeypatch.setattr(short, "SHORT", 0)


def statistics(network):
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
    return [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]


def trained(splits, recipe=TINY):
    trainer = Trainer(recipe, splits)
    trainer.fit()
    return trainer


def test_steps_of_the_whole_run_count():
    stages = (Stage("first", 4), Stage("second", 1))
    assert is_short(Recipe(), stages, SHORT // 5 - 1)
    assert not is_short(Recipe(), stages, SHORT // 5)
    assert is_short(Recipe(max_steps=SHORT - 1), stages, 10_000)
    assert not is_short(Recipe(max_steps=SHORT), stages, 10_000)
    assert is_short(Recipe(max_steps=SHORT), stages, 1)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_every_batch_counts_the_same(momentum):
    norm = nn.BatchNorm1d(3, momentum=momentum)
    batches = [torch.randn(8, 3) * (2 + k) + k for k in range(4)]
    norm(batches[0] + 100)  # what was seen before is forgotten
    gather([norm], 4, lambda step: norm(batches[step]))
    means = torch.stack([batch.mean(dim=0) for batch in batches])
    variances = torch.stack([batch.var(dim=0) for batch in batches])
    torch.testing.assert_close(norm.running_mean, means.mean(dim=0))
    torch.testing.assert_close(norm.running_var, variances.mean(dim=0))
    assert norm.momentum == momentum


def test_norms_that_stand_still_or_keep_no_statistics_are_left():
    network = nn.Sequential(
        nn.BatchNorm1d(2), nn.BatchNorm1d(2).eval(), nn.BatchNorm1d(2, track_running_stats=False)
    )
    assert gathering(network) == [network[0]]


def test_nothing_is_shown_where_there_is_no_norm():
    gather([], 3, lambda step: pytest.fail("shown"))


def test_they_are_those_of_the_last_weights(splits):
    trainer = trained(splits)
    network, found = trainer.state.network, [t.clone() for t in statistics(trainer.state.network)]
    network.train()
    whole = nn.ModuleList(network.modules())
    norm = next(module for module in whole if isinstance(module, nn.BatchNorm1d))
    norm.momentum = None  # PyTorch's own cumulative average
    norm.reset_running_stats()
    again = Trainer(TINY, splits)
    list(again.epoch())
    epoch = again.begin_epoch()  # the second, whose batches the run was shown last
    with torch.no_grad():
        for step in range(epoch.steps):
            network(epoch.batch(step).images)
    for one, other in zip(found, statistics(network), strict=True):
        torch.testing.assert_close(one, other)


def test_a_long_run_keeps_its_running_averages(splits, never_short):
    kept = trained(splits)
    again = Trainer(TINY, splits)
    for epoch in range(2):
        for step in again.epoch():
            if epoch == 1 and step == 4:
                before = [tensor.clone() for tensor in statistics(again.state.network)]
    assert all(map(torch.equal, before, statistics(kept.state.network)))


def test_losses_are_the_same_and_new_images_are_told_better(splits, monkeypatch):
    gathered = trained(splits, TINY.with_(model="cnn", model_options={}, epochs=1))
    monkeypatch.setattr(short, "SHORT", 0)
    averaged = trained(splits, TINY.with_(model="cnn", model_options={}, epochs=1))
    assert gathered.state.history.losses == averaged.state.history.losses
    accuracies = [t.state.history.epochs[-1].test_accuracy for t in (gathered, averaged)]
    assert accuracies[0] > accuracies[1] + 0.1


def test_a_frozen_networks_statistics_stay(splits):
    """What crt trains in its second stage is the classifier alone."""
    trainer, seen = Trainer(TINY.with_(remedy="crt"), splits), []
    trainer.fit(after_epoch=lambda state: seen.append([
        tensor.clone() for tensor in statistics(trainer.state.network)
    ]))  # fmt: skip
    assert len(seen) == 2
    assert all(map(torch.equal, *seen))


def test_runs_side_by_side_gather_theirs(splits):
    recipes = [TINY.with_(seed=seed) for seed in range(2)]
    together = [Trainer(recipe, splits) for recipe in recipes]
    Replicas(together).fit()
    for one, recipe in zip(together, recipes, strict=True):
        alone = trained(splits, recipe)
        for a, b in zip(
            statistics(one.state.network), statistics(alone.state.network), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
