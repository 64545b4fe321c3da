import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.scene import FACTS, Tiny
from unskew.models.registry import build
from unskew.remedies.registry import make_remedy
from unskew.remedies.regularisation.norms import class_norms, set_length, shorten
from unskew.remedies.regularisation.weight_decay_by_layer import weights_by_layer
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer


def tiny(scale=1.0):
    torch.manual_seed(0)
    network = Tiny(4)
    with torch.no_grad():
        network.classifier.weight.copy_(torch.randn(4, 6) * scale)
        network.classifier.weight[3] = 0
    return network


@given(st.floats(0.01, 100), st.floats(0.001, 100))
def test_shortening_is_the_projection_onto_the_ball(bound, scale):
    network = tiny(scale)
    before = network.classifier.weight.detach().numpy().astype(np.float64)
    shorten(network, bound)
    norms = np.linalg.norm(before, axis=1)
    factors = [min(1.0, bound / norm) if norm else 1.0 for norm in norms]
    np.testing.assert_allclose(
        network.classifier.weight.detach(), before * np.array(factors)[:, None], rtol=1e-5
    )
    again = network.classifier.weight.detach().clone()
    shorten(network, bound)
    torch.testing.assert_close(network.classifier.weight.detach(), again)


@given(st.floats(0.01, 100), st.floats(0.001, 100))
def test_setting_the_length_keeps_the_direction(length, scale):
    network = tiny(scale)
    before = network.classifier.weight.detach().clone()
    set_length(network, length)
    np.testing.assert_allclose(class_norms(network), [length] * 3 + [0], rtol=1e-5)
    cosines = torch.cosine_similarity(network.classifier.weight.detach(), before)
    np.testing.assert_allclose(cosines, [1, 1, 1, 0], atol=1e-5)


@pytest.mark.parametrize(("name", "option"), [("max_norm", "delta"), ("l2_normalised", "length")])
def test_norms_hold_after_every_step_of_a_run(splits, name, option):
    recipe = Recipe(remedy=name, remedy_options={name: {option: 0.3}}, epochs=1, batch_size=40)
    trainer = Trainer(recipe, splits)
    before = class_norms(trainer.state.network).clone()
    assert before.min() > 0.3
    biases = set()
    for _ in trainer.epoch():
        norms = class_norms(trainer.state.network)
        assert norms.max() <= 0.3 + 1e-6
        biases.add(trainer.state.network.classifier.bias.norm().item())
        if name == "l2_normalised":
            torch.testing.assert_close(norms, torch.full((4,), 0.3))
    assert len(biases) > 1


@pytest.mark.parametrize("model", ["cnn", "lstm", "resnet32"])
def test_layers_are_all_weights_once_with_the_classifier_last(model):
    network = build(model, 10, 32)
    layers = weights_by_layer(network)
    flat = [id(parameter) for layer in layers for parameter in layer]
    assert len(flat) == len(set(flat))
    assert set(flat) == {id(p) for p in network.parameters() if p.dim() >= 2}
    assert layers[-1][0] is network.classifier.weight
    groups = make_remedy("weight_decay_by_layer").parameter_groups(network, 0.1)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 2.0])
def test_a_step_without_a_gradient_shrinks_each_layer_by_its_own_decay(ratio):
    network = build("cnn", 10, 32)
    options = {"weight_decay_by_layer": {"ratio": ratio}}
    remedy = make_remedy("weight_decay_by_layer", options)
    optimizer = torch.optim.SGD(remedy.parameter_groups(network, 0.1), lr=0.5)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    layers = [name for name, value in network.named_parameters() if value.dim() >= 2]
    for distance, name in enumerate(reversed(layers)):
        shrunk = before[name] * (1 - 0.5 * 0.1 * ratio**distance)
        torch.testing.assert_close(network.get_parameter(name).detach(), shrunk)
    for name, value in network.named_parameters():
        if value.dim() < 2:
            assert torch.equal(value, before[name])


def test_max_norm_leaves_short_weights_alone():
    network = tiny(0.01)
    before = network.classifier.weight.detach().clone()
    make_remedy("max_norm").after_step(network, FACTS, 0)
    assert torch.equal(network.classifier.weight, before)
