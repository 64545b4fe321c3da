"""Components of variance: by hand, by simulation, and where nothing varies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import f_oneway

from unskew.evaluation.spread import spread


def test_by_hand():
    # Rows' means 1 and 3, columns' 1, 2, 3: no rest.
    found = spread(np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]))
    assert found.rows == pytest.approx(math.sqrt(2))
    assert found.columns == pytest.approx(1)
    assert found.rest == 0
    assert found.rows_p is found.columns_p is None  # of no rest no test can be made
    assert found.columns_low < 1 < found.columns_high


def test_by_hand_with_a_rest():
    figures = np.array([[1.0, 2.0], [3.0, 6.0]])
    # Means of rows 1.5, 4.5, of columns 2, 4; what is left is ±0.5, its mean square 1.
    found = spread(figures)
    assert found.rest == pytest.approx(1)
    assert found.rows == pytest.approx(math.sqrt((2 * 4.5 - 1) / 2))
    assert found.columns == pytest.approx(math.sqrt((2 * 2 - 1) / 2))


def test_intervals_by_tables():
    # Quantiles of F(1, 1): 647.79 and its inverse; of chi-square(1): 5.0239 and 0.00098207.
    found = spread(np.array([[0.0, 1.0], [100.0, 103.0]]))
    square = 101.0**2  # of the rows; what is left is ±0.5 again, its mean square 1
    assert found.rows_low == pytest.approx(math.sqrt((square - 647.789) / (2 * 5.023886)), rel=1e-4)
    assert found.rows_high == pytest.approx(
        math.sqrt((square - 1 / 647.789) / (2 * 0.000982069)), rel=1e-4
    )
    assert found.columns_low == 0
    assert found.columns_high == pytest.approx(
        math.sqrt((4 - 1 / 647.789) / (2 * 0.000982069)), rel=1e-4
    )


def test_intervals_with_more_degrees_of_freedom():
    # F(2, 2) has its upper 2.5 % from 39 on, chi-square(2) from -2 ln 0.025 on.
    rest = np.array([[0.5, -0.5], [-0.5, 0.5], [0.0, 0.0]])  # mean square 1 / 2
    found = spread(rest + np.array([[0.0], [10.0], [20.0]]))
    mean_square = 2 * 100
    low, high = -2 * math.log(0.025) / 2, -2 * math.log(0.975) / 2
    assert found.rows_low == pytest.approx(math.sqrt((mean_square - 39 / 2) / (2 * low)))
    assert found.rows_high == pytest.approx(math.sqrt((mean_square - 1 / 39 / 2) / (2 * high)))


def test_a_ten_millionth_is_no_rounding():
    rng = np.random.default_rng(3)
    figures = rng.normal(size=(4, 3))
    assert spread(0.7 + 1e-7 * figures).rest == pytest.approx(1e-7 * spread(figures).rest, rel=1e-6)


def test_without_columns_it_is_the_one_way_test():
    """Columns shifted by anything leave the rows' component alone."""
    rng = np.random.default_rng(0)
    figures = rng.normal(size=(5, 4)) + rng.normal(size=(5, 1))
    shifted = figures + np.array([3.0, -7.0, 0.5, 100.0])
    one, other = spread(figures), spread(shifted)
    assert one.rows == pytest.approx(other.rows)
    assert one.rows_p == pytest.approx(other.rows_p)
    centred = figures - figures.mean(axis=0)
    # The one-way F, with the degrees of freedom that centring the columns has cost.
    one_way = f_oneway(*centred).statistic * (5 - 1) * (4 - 1) / (5 * (4 - 1))
    ratio = 4 * centred.mean(axis=1).var(ddof=1) / one.rest**2
    assert ratio == pytest.approx(one_way)


def test_simulated_components_and_coverage():
    rng = np.random.default_rng(1)
    found = [
        spread(rng.normal(0, 2, (6, 1)) + rng.normal(0, 1, (1, 5)) + rng.normal(0, 0.5, (6, 5)))
        for _ in range(2000)
    ]
    assert np.mean([s.rows**2 for s in found]) == pytest.approx(4, rel=0.08)
    assert np.mean([s.columns**2 for s in found]) == pytest.approx(1, rel=0.08)
    assert np.mean([s.rest**2 for s in found]) == pytest.approx(0.25, rel=0.04)
    rows = np.mean([s.rows_low <= 2 <= s.rows_high for s in found])
    columns = np.mean([s.columns_low <= 1 <= s.columns_high for s in found])
    assert 0.93 < rows < 0.98
    assert 0.93 < columns < 0.98


def test_p_values_are_uniform_where_rows_add_nothing():
    rng = np.random.default_rng(2)
    p = [spread(rng.normal(size=(4, 5)) + rng.normal(size=(1, 5))).rows_p for _ in range(2000)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_nothing_varies():
    found = spread(np.full((3, 3), 0.7))
    assert found.rows == found.rows_low == found.rows_high == 0
    assert found.columns == found.rest == 0
    assert found.rows_p == found.columns_p == 1


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(2, 6), columns=st.integers(2, 6), seed=st.integers(0, 999))
def test_intervals_hold_their_order_and_transposing_swaps(rows, columns, seed):
    figures = np.random.default_rng(seed).normal(size=(rows, columns))
    found, turned = spread(figures), spread(figures.T)
    assert 0 <= found.rows_low <= found.rows_high
    assert found.rows <= found.rows_high
    assert (found.rows, found.rows_low, found.rows_p) == pytest.approx(
        (turned.columns, turned.columns_low, turned.columns_p)
    )


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_too_few(shape):
    with pytest.raises(ValueError, match="two rows and columns or more"):
        spread(np.zeros(shape))
