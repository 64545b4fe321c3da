"""The first 20 losses of every network with every remedy are those that were kept.

A change that moves one moves what users' runs give. If it is meant, keep the new losses with
`python -m tests.golden.rewrite` and say in the commit what moved them.
"""

from dataclasses import dataclass

import pytest

from tests.golden.kept import first_apart, read, rounded
from tests.golden.runs import NETWORKS, STEPS, losses, recipe, remedies
from unskew.models.registry import names
from unskew.remedies.losses.drw import DeferredReweighting
from unskew.remedies.losses.focal import Focal
from unskew.remedies.registry import trained_part

every_pair = pytest.mark.parametrize(
    ("network", "remedy"),
    [
        pytest.param(n, r, marks=[pytest.mark.slow] if n == "resnet32" and r != "none" else [])
        for n in NETWORKS
        for r in remedies(n)
    ],
)
"""ResNet-32's take as long as all others'."""

TOO_WEAK = {("cnn", "weight_decay_by_layer"), ("resnet32", "weight_decay_by_layer")}
"""Pairs that at a small learning rate and for 20 steps cannot be told from no remedy."""


def after_training_only(remedy):
    return trained_part(remedy)[0] == "none"


@every_pair
def test_losses_are_those_that_were_kept(network, remedy):
    found, kept = losses(recipe(network, remedy)), read(network)[remedy]
    assert len(found) == len(kept) == STEPS
    step = first_apart(network, found, kept)
    assert step is None, (
        f"from step {step + 1} on the losses are other than kept: {rounded(found)} and not {kept}"
    )


def test_every_network_is_run_and_nothing_is_kept_that_is_not():
    assert set(NETWORKS) == set(names())
    for network in NETWORKS:
        assert set(read(network)) == set(remedies(network))


@pytest.mark.parametrize("network", [n for n in NETWORKS if n != "lstm_misread"])
def test_a_remedy_shows_in_the_losses_unless_it_acts_after_training(network):
    """So that no golden loss is kept under a name whose remedy it would not notice."""
    kept = read(network)
    for remedy in set(remedies(network)) - {"none"}:
        if after_training_only(remedy):
            assert kept[remedy] == kept["none"]
        elif (network, remedy) not in TOO_WEAK:
            assert first_apart(network, kept[remedy], kept["none"]) is not None, remedy


def test_what_acts_after_training_is_known():
    acting = [remedy for remedy in remedies("cnn")[1:] if after_training_only(remedy)]
    assert acting == ["posthoc_em", "posthoc_logit_adjustment", "tau_normalised"]


@dataclass(frozen=True)
class SlightlyStronger(Focal):
    """Focal loss, a thousandth too large."""

    name = ""

    def _loss(self, logits, labels):
        return super()._loss(logits, labels) * 1.001


@dataclass(frozen=True)
class OneEpochEarly(DeferredReweighting):
    """Deferred weights that begin an epoch before they should."""

    name = ""

    def class_weights(self, facts, epoch):
        return super().class_weights(facts, epoch + 1)


@pytest.mark.parametrize(
    ("remedy", "changed", "step"), [("focal", SlightlyStronger, 0), ("drw", OneEpochEarly, 12)]
)
def test_a_changed_remedy_is_noticed(monkeypatch, remedy, changed, step):
    monkeypatch.setattr("unskew.training.fitting.make_remedy", lambda *spec: changed())
    for network in ("cnn", "lstm", "resnet32", "whitened_cnn"):
        found = losses(recipe(network, remedy))
        assert first_apart(network, found, read(network)[remedy]) == step


@pytest.mark.parametrize(
    ("network", "change"),
    [
        ("lstm", {"momentum": 0.901}),
        ("lstm", {"learning_rate": 1.001e-2}),
        ("whitened_cnn", {"weight_decay": 0.33}),
        ("cnn", {"augmentation": "flip"}),
        ("resnet32", {"seed": 1}),
    ],
)
def test_a_changed_recipe_is_noticed(network, change):
    found = losses(recipe(network, "none").with_(**change))
    assert first_apart(network, found, read(network)["none"]) is not None


def test_a_loss_that_is_not_a_number_is_never_near_enough():
    assert first_apart("lstm", [1.0, float("nan")], [1.0, 1.0]) == 1
