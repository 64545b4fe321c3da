"""Label-aware smoothing."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
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
from tests.remedies.scene import make_facts
from unskew.errors import UserError
from unskew.remedies.registry import make_remedy

SHAPES = ("concave", "linear", "convex")


def amount(count, least, most, head, tail, shape):
    """ε of a class, equations 4a to 4c of the paper."""
    if most == least:
        return head
    x = (count - least) / (most - least)
    if shape == "concave":
        return tail + (head - tail) * math.sin(math.pi * x / 2)
    if shape == "linear":
        return tail + (head - tail) * x
    return head + (head - tail) * math.sin(1.5 * math.pi + math.pi * x / 2)


@examined
@given(problems(), st.floats(0, 0.9), st.floats(0, 0.9), st.sampled_from(SHAPES))
def test_it_is_the_formula(problem, head, tail, shape):
    facts, logits, labels = problem
    counts = facts.counts.tolist()
    expected = []
    for row, label in zip(logits.tolist(), labels, strict=True):
        eps = amount(counts[label], min(counts), max(counts), head, tail, shape)
        others = eps / (len(row) - 1)
        log_p = log_softmax(row)
        terms = [(1 - eps if k == label else others) * log_p[k] for k in range(len(row))]
        expected.append(-math.fsum(terms))
    found = losses("label_aware_smoothing", *problem, head=head, tail=tail, shape=shape)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@examined
@given(problems(present=False), st.sampled_from(SHAPES))
def test_without_smoothing_it_is_cross_entropy(problem, shape):
    _, logits, labels = problem
    found = losses("label_aware_smoothing", *problem, head=0, tail=0, shape=shape)
    np.testing.assert_allclose(found, cross_entropy(logits, labels), rtol=1e-9, atol=1e-12)


@examined
@given(problems(present=False), st.floats(0, 0.8), st.sampled_from(SHAPES))
def test_the_same_for_all_classes_it_is_pytorch_label_smoothing(problem, eps, shape):
    """PyTorch spreads ε over all K classes, so its ε is ours times K / (K - 1)."""
    facts, logits, labels = problem
    found = losses("label_aware_smoothing", *problem, head=eps, tail=eps, shape=shape)
    share = min(eps * facts.num_classes / (facts.num_classes - 1), 1.0)
    if eps * facts.num_classes <= facts.num_classes - 1:
        expected = F.cross_entropy(
            torch.from_numpy(logits),
            torch.from_numpy(labels),
            reduction="none",
            label_smoothing=share,
        )
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_rises_from_tail_to_head_and_forgets_classes_without_images(shape):
    remedy = make_remedy("label_aware_smoothing", {"label_aware_smoothing": {"shape": shape}})
    eps = remedy.smoothing(make_facts([500, 300, 100, 0])).tolist()
    assert eps[0] == pytest.approx(0.3)
    assert eps[2] == pytest.approx(0.0)
    middle = {"concave": 0.3 * math.sqrt(0.5), "linear": 0.15}
    assert eps[1] == pytest.approx(middle.get(shape, 0.3 * (1 - math.sqrt(0.5))))
    assert eps[3] == pytest.approx(0.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_classes_are_all_the_largest(shape):
    remedy = make_remedy("label_aware_smoothing", {"label_aware_smoothing": {"shape": shape}})
    for size in (1, 6):
        assert remedy.smoothing(make_facts([size, size])).tolist() == pytest.approx([0.3] * 2)


def test_slopes():
    for shape in SHAPES:
        assert slopes_are_right("label_aware_smoothing", shape=shape)


def test_one_class_has_no_others_to_give_to():
    remedy = make_remedy("label_aware_smoothing")
    with pytest.raises(UserError, match=r"^remedy 'label_aware_smoothing' .* two classes or more$"):
        remedy.check(make_facts([5]))
    remedy.check(make_facts([5, 1]))
