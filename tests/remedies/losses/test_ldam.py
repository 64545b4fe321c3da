"""LDAM: margins, loss and classifier."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.losses.cases import (
    cross_entropy,
    examined,
    log_softmax,
    losses,
    problems,
    slopes_are_right,
)
from tests.remedies.scene import FACTS, Tiny, make_facts
from unskew.remedies.classifiers import NormalisedClassifier
from unskew.remedies.registry import make_remedy


@examined
@given(problems(), st.floats(0, 1), st.floats(0.5, 40))
def test_it_is_the_formula_on_cosines(problem, max_m, s):
    """The paper's s·(z - Δ) on cosines z; ours takes logits that contain the s."""
    facts, logits, labels = problem
    cosines = np.tanh(logits)
    widest = max(n**-0.25 for n in facts.counts.tolist())
    expected = []
    for row, label in zip(cosines.tolist(), labels, strict=True):
        row[label] -= max_m * facts.counts[label].item() ** -0.25 / widest
        expected.append(-log_softmax([s * z for z in row])[label])
    found = losses("ldam", facts, s * cosines, labels, max_m=max_m, s=s)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@examined
@given(problems(present=False), st.floats(0.5, 40))
def test_without_margins_it_is_cross_entropy(problem, s):
    _, logits, labels = problem
    found = losses("ldam", *problem, max_m=0, s=s)
    np.testing.assert_allclose(found, cross_entropy(logits, labels), rtol=1e-9, atol=1e-12)


def test_margins_fall_with_the_fourth_root_of_the_count():
    margins = make_remedy("ldam").margins(make_facts([10_000, 16, 1, 0]))
    np.testing.assert_allclose(margins.numpy(), [0.05, 0.25, 0.5, 0.0])


def test_a_class_without_images_widens_no_margin():
    some = make_remedy("ldam").margins(make_facts([81, 16, 0]))
    np.testing.assert_allclose(some.numpy(), [0.5 * 2 / 3, 0.5, 0.0])


def test_the_classifier_gives_scaled_cosines():
    network = Tiny(4)
    make_remedy("ldam", {"ldam": {"s": 7}}).prepare(network, FACTS)
    assert isinstance(network.classifier, NormalisedClassifier)
    features = torch.randn(5, 6)
    logits = network.classifier(features)
    for k in range(4):
        for row in range(5):
            h, w = features[row].tolist(), network.classifier.weight[k].tolist()
            dot = math.fsum(a * b for a, b in zip(h, w, strict=True))
            cosine = dot / (math.hypot(*h) * math.hypot(*w))
            assert logits[row, k].item() == pytest.approx(7 * cosine, rel=1e-5)
    np.testing.assert_allclose(network.classifier(100 * features).tolist(), logits.tolist(), 1e-4)
    assert "num_classes=4, scale=7" in repr(network.classifier)


def test_the_classifier_begins_on_the_sphere_and_takes_features_that_vanish():
    classifier = NormalisedClassifier(6, 4, 30.0)
    torch.testing.assert_close(classifier.weight.norm(dim=1), torch.ones(4))
    before = classifier.weight.clone()
    classifier.reset_parameters()
    assert not torch.equal(before, classifier.weight)
    torch.testing.assert_close(classifier.weight.norm(dim=1), torch.ones(4))
    features = torch.zeros(2, 6, requires_grad=True)
    logits = classifier(features)
    assert logits.tolist() == [[0] * 4] * 2
    logits.sum().backward()
    assert features.grad.isfinite().all()


def test_slopes():
    assert slopes_are_right("ldam")
    assert slopes_are_right("ldam", max_m=0.1, s=2.0)
