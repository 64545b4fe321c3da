"""What a handful of test images leaves open."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from unskew.evaluation.evaluation import evaluate_logits
from unskew.evaluation.sampling import wilson_interval

Z = 1.959963984540054


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_is_wilsons_formula(case):
    right, of = case
    share = right / of
    middle = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    spread = share * (1 - share) / of + Z**2 / (4 * of**2)
    half = Z / (1 + Z**2 / of) * math.sqrt(spread)
    low, high = wilson_interval(right, of)
    assert (low, high) == pytest.approx((max(middle - half, 0), min(middle + half, 1)), abs=1e-9)
    peer = binomtest(right, of).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((peer.low, peer.high), abs=1e-12)


def test_all_right_leave_nothing_above():
    assert wilson_interval(3, 3)[1] == 1.0
    assert wilson_interval(0, 3)[0] == 0.0


def test_none_right_of_two_images_is_far_from_certain():
    low, high = wilson_interval(0, 2)
    assert low == pytest.approx(0, abs=1e-12)
    assert high == pytest.approx(0.658, abs=1e-3)


@pytest.mark.parametrize(("right", "of"), [(0, 0), (-1, 3), (4, 3)])
def test_what_is_no_share_is_refused(right, of):
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(right, of)


def test_each_class_has_its_own_and_an_absent_one_has_none():
    figures = evaluate_logits(
        [[2.0, 0, 0], [0, 1, 0], [2, 0, 0]], [0, 0, 1], class_names=("a", "b", "c"),
        train_counts=[1, 1, 1],
    )  # fmt: skip
    assert figures.class_accuracy_interval == (wilson_interval(1, 2), wilson_interval(0, 1), None)
