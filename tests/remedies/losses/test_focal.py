"""Focal loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.losses.cases import (
    COUNTS,
    cross_entropy,
    examined,
    log_softmax,
    losses,
    problems,
    slopes_are_right,
)
from tests.remedies.scene import make_facts

LOGITS = np.array([[2.0, -1.0, 0.5, 0.0], [0.3, 0.1, -0.2, 4.0], [-3.0, 1.5, 1.0, 0.0]])
LABELS = np.array([0, 3, 2])


@examined
@given(problems(), st.floats(0, 6))
def test_it_is_the_formula(problem, gamma):
    facts, logits, labels = problem
    expected = []
    for row, label in zip(logits, labels, strict=True):
        log_p = log_softmax(row.tolist())[label]
        expected.append(-((-np.expm1(log_p)) ** gamma) * log_p)
    found = losses("focal", facts, logits, labels, gamma=gamma)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@examined
@given(problems())
def test_without_focus_it_is_cross_entropy(problem):
    facts, logits, labels = problem
    found = losses("focal", facts, logits, labels, gamma=0)
    np.testing.assert_allclose(found, cross_entropy(logits, labels), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        (0.5, [0.1843291277, 0.0138500777, 0.9090647717]),
        (1.0, [0.0992471703, 0.0032941377, 0.7443800861]),
        (2.0, [0.0287717623, 0.0001863463, 0.4991080588]),
        (5.0, [0.0007009894, 0.0000000337, 0.1504506575]),
    ],
)
def test_it_agrees_with_kornia(gamma, expected):
    """Numbers of `kornia.losses.focal_loss`, version 0.9.0, without α."""
    found = losses("focal", make_facts(COUNTS), LOGITS, LABELS, gamma=gamma)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@examined
@given(problems(), st.floats(0, 6))
def test_it_is_never_more_than_cross_entropy(problem, gamma):
    facts, logits, labels = problem
    found = losses("focal", facts, logits, labels, gamma=gamma)
    assert (found <= cross_entropy(logits, labels) + 1e-9).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_slopes(gamma):
    assert slopes_are_right("focal", gamma=gamma)
