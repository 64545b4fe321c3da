"""Balanced softmax, logit adjustment, vector scaling and class-dependent temperatures."""

import math

import numpy as np
import pytest
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

close = {"rtol": 1e-9, "atol": 1e-9}


@examined
@given(problems())
def test_balanced_softmax_is_the_formula(problem):
    facts, logits, labels = problem
    expected = []
    for row, label in zip(logits, labels, strict=True):
        terms = [n * math.exp(z) for n, z in zip(facts.counts.tolist(), row, strict=True)]
        expected.append(-math.log(terms[label] / math.fsum(terms)))
    np.testing.assert_allclose(losses("balanced_softmax", *problem), expected, **close)


@examined
@given(problems(), st.floats(0, 3))
def test_logit_adjustment_is_the_formula(problem, tau):
    facts, logits, labels = problem
    expected = []
    for row, label in zip(logits, labels, strict=True):
        moved = [z + tau * math.log(p) for z, p in zip(row, facts.prior, strict=True)]
        expected.append(-log_softmax(moved)[label])
    np.testing.assert_allclose(losses("logit_adjustment", *problem, tau=tau), expected, **close)


@examined
@given(problems(), st.floats(0, 3))
def test_logit_adjustment_is_the_pairwise_margin_loss(problem, tau):
    """Menon et al. 2021, equation 10, second form: log(1 + Σ (π_c/π_y)^τ exp(z_c - z_y))."""
    facts, logits, labels = problem
    expected = []
    for row, label in zip(logits, labels, strict=True):
        rivals = [
            (facts.prior[c] / facts.prior[label]) ** tau * math.exp(row[c] - row[label])
            for c in range(facts.num_classes)
            if c != label
        ]
        expected.append(math.log1p(math.fsum(rivals)))
    np.testing.assert_allclose(losses("logit_adjustment", *problem, tau=tau), expected, **close)


@examined
@given(problems(), st.floats(0, 2), st.floats(0, 3))
def test_vector_scaling_is_the_formula(problem, gamma, tau):
    facts, logits, labels = problem
    most, all_images = facts.counts.max(), facts.counts.sum()
    expected = []
    for row, label in zip(logits, labels, strict=True):
        moved = [
            (n / most) ** gamma * z + tau * math.log(n / all_images)
            for n, z in zip(facts.counts.tolist(), row, strict=True)
        ]
        expected.append(-log_softmax(moved)[label])
    found = losses("vector_scaling", *problem, gamma=gamma, tau=tau)
    np.testing.assert_allclose(found, expected, **close)


@examined
@given(problems(), st.floats(0, 2))
def test_class_dependent_temperatures_are_the_formula(problem, gamma):
    facts, logits, labels = problem
    most = facts.counts.max()
    expected = []
    for row, label in zip(logits, labels, strict=True):
        cooled = [z / (most / n) ** gamma for n, z in zip(facts.counts.tolist(), row, strict=True)]
        expected.append(-log_softmax(cooled)[label])
    found = losses("class_dependent_temperatures", *problem, gamma=gamma)
    np.testing.assert_allclose(found, expected, **close)


@examined
@given(problems(present=False), st.floats(0, 2), st.floats(0, 3))
def test_the_family_meets_where_it_should(problem, gamma, tau):
    """Also where classes are without images."""
    _, logits, labels = problem
    plain = cross_entropy(logits, labels)
    adjusted = losses("logit_adjustment", *problem, tau=tau)
    cooled = losses("class_dependent_temperatures", *problem, gamma=gamma)
    same = [
        (losses("logit_adjustment", *problem, tau=0), plain),
        (losses("class_dependent_temperatures", *problem, gamma=0), plain),
        (losses("vector_scaling", *problem, gamma=0, tau=0), plain),
        (losses("vector_scaling", *problem, gamma=0, tau=tau), adjusted),
        (losses("vector_scaling", *problem, gamma=gamma, tau=0), cooled),
        (losses("balanced_softmax", *problem), losses("logit_adjustment", *problem, tau=1)),
    ]
    for one, other in same:
        np.testing.assert_allclose(one, other, **close)


@examined
@given(problems(), st.integers(1, 1000), st.floats(0, 2), st.floats(0, 3))
def test_equal_counts_leave_cross_entropy(problem, size, gamma, tau):
    facts, logits, labels = problem
    even = make_facts([size] * facts.num_classes), logits, labels
    plain = cross_entropy(logits, labels)
    for found in (
        losses("balanced_softmax", *even),
        losses("logit_adjustment", *even, tau=tau),
        losses("class_dependent_temperatures", *even, gamma=gamma),
        losses("vector_scaling", *even, gamma=gamma, tau=tau),
    ):
        np.testing.assert_allclose(found, plain, **close)


def test_a_class_without_images_is_pushed_down_as_if_it_had_one():
    logits, labels = np.array([[0.5, -1.0, 2.0]]), np.array([0])
    found = losses("balanced_softmax", make_facts([9, 3, 0]), logits, labels)
    expected = losses("balanced_softmax", make_facts([9, 3, 1]), logits, labels)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "name",
    ["balanced_softmax", "logit_adjustment", "vector_scaling", "class_dependent_temperatures"],
)
def test_slopes(name):
    assert slopes_are_right(name)
