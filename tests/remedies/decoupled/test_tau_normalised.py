import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.remedies.scene import FACTS, Tiny
from unskew.remedies.registry import make_remedy


def normalised(tau, network):
    remedy = make_remedy("tau_normalised", {"tau_normalised": {"tau": tau}})
    remedy.after_training(network, FACTS)
    return network.classifier


@given(st.floats(0, 2), st.integers(0, 100))
def test_weights_are_divided_by_the_power_of_their_norm_and_the_bias_is_gone(tau, seed):
    torch.manual_seed(seed)
    network = Tiny(4)
    before = network.classifier.weight.detach().numpy().astype(np.float64)
    changed = normalised(tau, network)
    expected = before / np.linalg.norm(before, axis=1)[:, None] ** tau
    np.testing.assert_allclose(changed.weight.detach(), expected, rtol=1e-4, atol=1e-6)
    assert not changed.bias.any()


def test_tau_one_makes_all_classes_equally_long():
    norms = normalised(1.0, Tiny(4)).weight.detach().norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(4))


@pytest.mark.parametrize("tau", [0.0, 0.7, 1.0])
def test_weights_of_zero_and_a_missing_bias_do_no_harm(tau):
    network = Tiny(4)
    network.classifier = nn.Linear(6, 4, bias=False)
    with torch.no_grad():
        network.classifier.weight[2] = 0
    weight = normalised(tau, network).weight
    assert weight.isfinite().all()
    assert not weight[2].any()


def test_it_lifts_the_class_of_short_weights():
    network = Tiny(2)
    with torch.no_grad():
        network.classifier.weight.zero_()
        network.classifier.weight[0, 0] = 4.0
        network.classifier.weight[1, 1] = 0.5
    features = torch.tensor([[0.3, 1.0, 0, 0, 0, 0]])
    assert network.classifier(features).argmax() == 0
    assert normalised(1.0, network)(features).argmax() == 1
