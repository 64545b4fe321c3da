"""Figures as text."""

import pytest

from unskew.evaluation.significance import mean_interval
from unskew.report import numbers


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.0123, "accuracy", "+1.2"),
        (-0.0123, "balanced_accuracy", "−1.2"),
        (-0.0004, "macro_f1", "0.0"),
        (0.0, "accuracy", "0.0"),
        (0.1, "accuracy", "+10.0"),
        (-0.25, "final_train_loss", "−0.250"),
        (-0.0001, "final_train_loss", "0.000"),
    ],
)
def test_differences_are_points_for_shares_and_never_minus_nought(value, metric, text):
    assert numbers.points(value, metric) == text
    assert numbers.unsigned(value, metric) == text.lstrip("+−")


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.00001, "p < 0.001"), (0.03125, "p = 0.031"), (0.5, "p = 0.50"), (1.0, "p = 1.00"),
        (None, "p = –"),
    ],
)  # fmt: skip
def test_p_values(p, text):
    assert numbers.p_phrase(p) == text


@pytest.mark.parametrize(("seeds", "text"), [(6, "p = 0.031"), (12, "p = 0.00049")])
def test_what_no_test_can_fall_below_is_not_said_to_lie_below_something(seeds, text):
    assert numbers.bound_phrase(2 / 2**seeds) == text


def test_intervals():
    several, one = mean_interval([0.5, 0.6, 0.7]), mean_interval([0.5])
    assert numbers.mean_and_half(several) == "0.600 ± 0.248"
    assert numbers.brackets(several) == "0.352 – 0.848"
    assert numbers.mean_and_half(one) == "0.500"
    assert numbers.brackets(one) == numbers.mean_and_half(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(7.6, "8 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s"), (4320, "1 h 12 min")],
)
def test_durations(seconds, text):
    assert numbers.duration(seconds) == text
