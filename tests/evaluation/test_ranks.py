"""Mean ranks and what they tell apart, against hand-made tables and SciPy."""

import numpy as np
import pytest
from scipy import stats

from unskew.data.randomness import stream
from unskew.evaluation.ranks import FEWEST_BLOCKS, _critical, _dealt, _share, rank


def table(blocks, gains, noise, seed=0):
    """Figures of treatments a, b, ...: a common block effect, a gain each, and noise."""
    rng = stream(seed, "ranked")
    common = rng.normal(0, 1, blocks)
    names = "abcdefghijkl"[: len(gains)]
    return {n: common + g + rng.normal(0, noise, blocks) for n, g in zip(names, gains, strict=True)}


def test_mean_ranks_are_of_places_within_blocks_and_equals_share_theirs():
    found = rank({"a": [0.1, 0.9], "b": [0.5, 0.5], "c": [0.5, 0.7]})
    assert found.means == {"c": 1.75, "a": 2.0, "b": 2.25}
    assert list(found.means) == ["c", "a", "b"]


def test_too_few_blocks_show_nothing_and_are_not_tested():
    found = rank(table(FEWEST_BLOCKS - 1, [0, 1, 2], 0))
    assert found.method == "none"
    assert found.friedman is found.critical is None
    assert found.cliques == ()
    assert found.smallest_p == 3 * 2 / 2**5


def test_friedmans_p_is_scipys_where_the_table_holds():
    figures = table(40, [0, 0.1, 0.2, 0.3, 0.4], 1)
    assert rank(figures).friedman == pytest.approx(
        stats.friedmanchisquare(*figures.values()).pvalue, abs=0.02
    )


def test_many_blocks_are_judged_pair_by_pair():
    found = rank(table(20, [0, 0.02, 3, 6], 0.1))
    assert found.method == "wilcoxon"
    assert list(found.means)[:2] == ["d", "c"]
    assert [set(clique) for clique in found.cliques] == [{"a", "b"}]
    assert found.critical is None


def test_pairs_told_apart_need_not_be_those_furthest_apart_in_rank():
    """C is last in most blocks and far ahead in three, which B, the second, never is."""
    ahead = np.array([True] * 3 + [False] * 9)
    step = np.arange(12) * 1e-3
    figures = {
        "a": 1.0 + step,
        "b": 0.9 + np.arange(12) * 2e-3,
        "c": np.where(ahead, 3.0 + step, 0.5 - 3 * step),
    }
    found = rank(figures)
    assert found.method == "wilcoxon"
    assert list(found.means) == ["a", "b", "c"]
    assert found.told == (("a", "b"),)


def test_a_pairs_own_test_does_not_heed_what_else_is_ranked():
    """The reason for Wilcoxon's test: with mean ranks, more losers bring two rivals closer."""
    figures = table(14, [0, 1.0], 0.1)
    others = {f"loser {k}": figures["a"] - 9 - k for k in range(5)}
    for found in (rank(figures), rank(figures | others)):
        assert found.method == "wilcoxon"
        assert not [c for c in found.cliques if {"a", "b"} <= set(c)]


def test_six_blocks_and_many_treatments_are_judged_by_mean_ranks():
    found = rank(table(6, range(9), 0))
    assert found.method == "ranks"
    assert found.smallest_p == 1
    # Nemenyi's large-sample value: q of the studentised range over √2, times √(k(k+1)/6N).
    table_value = stats.studentized_range.ppf(0.95, 9, np.inf) / 2**0.5 * (90 / 36) ** 0.5
    assert found.critical == pytest.approx(table_value, rel=0.06)
    assert found.friedman < 0.001
    width = max(len(clique) for clique in found.cliques)
    assert width == int(np.ceil(found.critical))
    # Neighbours overlap, and no clique lies within another.
    assert len(found.cliques) == 9 - width + 1


def test_where_all_are_alike_one_bar_joins_them():
    found = rank(table(8, [0.0] * 5, 1, seed=3))
    assert found.friedman > 0.05
    assert [len(clique) for clique in found.cliques] == [5]


def test_of_two_treatments_wilcoxons_test_alone_judges():
    """Friedman's is the sign test then: of seven wins in eight it makes p = 0.07."""
    gains = np.array([-0.001, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08])
    found = rank({"a": np.zeros(8), "b": gains})
    assert stats.binomtest(7, 8).pvalue > 0.05
    assert found.method == "wilcoxon"
    assert found.friedman is None
    assert found.told == (("b", "a"),)
    assert found.p_values == {("b", "a"): pytest.approx(2 * 2 / 2**8)}
    assert found.cliques == ()
    open_ = rank({"a": np.zeros(8), "b": gains * np.tile([1, -1], 4)})
    assert open_.told == ()
    assert len(open_.cliques) == 1


def test_every_pair_has_its_p_value_the_better_first():
    found = rank(table(20, [0, 0.02, 3, 6], 0.1))
    assert len(found.p_values) == 6
    assert {pair for pair, p in found.p_values.items() if p <= 0.05} == set(found.told)
    assert len({frozenset(pair) for pair in found.p_values}) == 6
    assert rank(table(FEWEST_BLOCKS - 1, [0, 1, 2], 0)).p_values == {}


def test_the_risk_of_telling_equals_apart_is_kept():
    wrong = 0
    for seed in range(60):
        found = rank(table(6, [0.0] * 6, 1, seed=seed))
        assert found.method == "ranks"
        wrong += [len(clique) for clique in found.cliques] != [6]
    assert wrong <= 8  # 5 % of 60 is 3; 8 or fewer in 99 of 100 such samples


def test_a_share_counts_what_is_found_and_does_not_heed_rounding():
    null = np.array([1.0, 2.0, 3.0, 4.0])
    assert _share(null, 3.0) == _share(null, 3.0 + 1e-12) == _share(null, 3.0 - 1e-12) == 3 / 5
    assert _share(null, 5.0) == 1 / 5


def test_the_critical_difference_is_the_smallest_at_5_percent():
    """Of 1 to 100, 97 and above are 4, with the one found 5 of 101; at 96 they are 6."""
    assert _critical(np.arange(100, 0, -1.0)) == 97
    assert _critical(np.ones(50)) is None


def test_ranks_dealt_anew_are_means_of_the_same_ranks():
    dealt = _dealt(np.array([[1.0, 2, 3], [2, 3, 1], [1.5, 1.5, 3]]))
    np.testing.assert_allclose(dealt.sum(axis=1), 6)
    np.testing.assert_allclose(dealt.mean(axis=0), 2, atol=0.03)
    # Variances 2/3, 2/3 and 1/2 of single ranks, over 9.
    np.testing.assert_allclose(dealt.var(axis=0), 11 / 54, rtol=0.06)


def test_equals_stay_in_the_order_given_and_blocks_are_counted():
    found = rank({f"{k:02}": [0.5] * 7 for k in range(40)})
    assert list(found.means) == [f"{k:02}" for k in range(40)]
    assert found.blocks == 7


@pytest.mark.parametrize(
    "figures", [{"a": [1.0]}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": [], "b": []},
                {"a": [1.0], "b": [float("nan")]}],
)  # fmt: skip
def test_what_cannot_be_ranked_is_refused(figures):
    with pytest.raises(ValueError, match=r"^at least two treatments|^figures must be finite"):
        rank(figures)


@pytest.mark.parametrize("blocks", [FEWEST_BLOCKS, 8])
def test_equals_share_their_places_whatever_their_last_bits(blocks):
    """Means over seeds of the same figures, in blocks that each rounding lifts one of."""
    bits = [0.1 + 0.2, 0.3] * blocks
    found = rank({"a": bits[:blocks], "b": [0.3] * blocks, "c": [0.3 - 1e-16] * blocks})
    assert set(found.means.values()) == {2.0}
    assert found.friedman == 1.0
    assert found.told == ()


def test_a_pair_is_told_in_the_order_that_its_own_test_speaks_for():
    """A is a little better than B in five blocks, with others between, which gives it the better
    mean rank; B is much better in fifteen.
    """
    blocks = np.arange(20)
    much = blocks < 15
    a = 0.5 + 0.001 * blocks
    b = np.where(much, a + 0.1 - 0.002 * blocks, a - 0.03 - 0.0001 * blocks)
    others = {
        name: np.where(much, a - 0.2 - 0.001 * k, a - 0.005 * (k + 1))
        for k, name in enumerate("cdef")
    }
    found = rank({"a": a, "b": b, **others})
    assert found.method == "wilcoxon"
    assert found.means["a"] < found.means["b"]
    assert ("b", "a") in found.told
    assert ("a", "b") not in found.p_values
    assert found.p_values["b", "a"] <= 0.05
    assert ("a", "c") in found.told
