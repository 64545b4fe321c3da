import numpy as np
import pytest
import torch

from tests.remedies.scene import FACTS, Tiny, make_facts
from unskew.data.randomness import stream
from unskew.data.skew import StepSkew
from unskew.errors import UserError
from unskew.remedies.base import Remedy
from unskew.remedies.decoupled.two_stages import two_stages
from unskew.remedies.registry import make_remedy
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

SKEW = StepSkew(profile="step", classes=(0, 1), keep=0.2)


def recipe(remedy, **changes):
    fields = {"remedy": remedy, "epochs": 3, "batch_size": 20, "skew": SKEW, "weight_decay": 0.01}
    return Recipe(**fields | {"precision": "float32"} | changes)


def weights(trainer):
    return {name: value.clone() for name, value in trainer.state.network.state_dict().items()}


def trained(wanted, splits, epochs=None):
    trainer = Trainer(wanted, splits)
    while not trainer.finished and len(trainer.state.history.epochs) != epochs:
        for _ in trainer.epoch():
            pass
    return trainer


@pytest.mark.parametrize(
    ("epochs", "share", "expected"),
    [(200, 0.1, (180, 20)), (5, 0.1, (4, 1)), (2, 0.9, (1, 1)), (10, 0.99, (1, 9))],
)
def test_epochs_are_shared_and_neither_stage_is_empty(epochs, share, expected):
    stages = two_stages("x", epochs, share, second="s", remedy=Remedy())
    assert tuple(stage.epochs for stage in stages) == expected


def test_one_epoch_is_refused():
    with pytest.raises(UserError, match="'crt' trains in two stages and epochs is 1"):
        make_remedy("crt").stages(1)


@pytest.mark.parametrize("remedy", ["crt", "lws"])
def test_the_first_stage_is_plain_training(splits, remedy):
    plain = weights(trained(recipe("none", epochs=2), splits))
    first = weights(trained(recipe(remedy), splits, epochs=2))
    changed = {name for name, value in plain.items() if not torch.equal(first[name], value)}
    assert changed == ({"classifier.weight", "classifier.bias"} if remedy == "crt" else set())


@pytest.mark.parametrize(
    ("remedy", "moves"), [("crt", {"classifier.weight", "classifier.bias"}),
                          ("lws", {"classifier.scale"})],
)  # fmt: skip
def test_the_second_stage_moves_its_own_weights_only(splits, remedy, moves):
    first = weights(trained(recipe(remedy), splits, epochs=2))
    last = weights(trained(recipe(remedy), splits))
    assert {name for name in last if not torch.equal(last[name], first[name])} == moves


def test_crt_begins_its_second_stage_with_a_new_classifier(splits):
    plain = weights(trained(recipe("none", epochs=2), splits))
    entered = trained(recipe("crt"), splits, epochs=2)
    new, old = weights(entered)["classifier.weight"], plain["classifier.weight"]
    limit = 1 / np.sqrt(new.shape[1])
    assert new.abs().max() <= limit
    assert torch.cosine_similarity(new, old).abs().max() < 0.5
    other = trained(recipe("crt", seed=1), splits, epochs=2)
    assert not torch.equal(new, weights(other)["classifier.weight"])


@pytest.mark.parametrize("name", ["crt", "lws"])
def test_the_second_stage_draws_classes_alike(name):
    facts = make_facts([400, 40, 4])
    first, second = make_remedy(name).stages(facts.epochs)
    assert first.remedy is None
    labels = facts.labels[second.remedy.draw(facts, 4, stream(0, "x")).indices]
    assert np.bincount(labels) / len(labels) == pytest.approx([1 / 3] * 3, abs=0.07)


def test_scales_multiply_each_classs_logit_but_not_its_bias(splits):
    network = trained(recipe("lws"), splits).state.network
    features = torch.randn(5, network.num_features)
    classifier = network.classifier
    assert not torch.equal(classifier.scale, torch.ones(4))
    expected = classifier.scale * (features @ classifier.weight.T) + classifier.bias
    torch.testing.assert_close(classifier(features), expected)
    torch.testing.assert_close(classifier.through_scales(features), expected)


def test_scales_learn_in_one_way_through_the_classifier_and_weights_in_the_other():
    network = trained_linear()
    features = torch.randn(5, 6, requires_grad=True)
    network(features).sum().backward()
    assert network.scale.grad is None
    assert network.weight.grad is not None
    assert features.grad is not None
    network.zero_grad()
    network.through_scales(features).sum().backward()
    assert network.weight.grad is None
    assert network.bias.grad is None
    torch.testing.assert_close(network.scale.grad, features.sum(0).detach() @ network.weight.T)


def trained_linear():
    network = Tiny(4)
    make_remedy("lws").prepare(network, FACTS)
    return network.classifier
