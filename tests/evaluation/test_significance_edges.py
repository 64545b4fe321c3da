"""Intervals and tests at the edges: one seed, equal seeds, ties, many seeds, and tables' values."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from unskew.data.randomness import stream
from unskew.evaluation.choice import choose
from unskew.evaluation.significance import (
    EXACT_SEEDS,
    RESAMPLES,
    bootstrap_interval,
    detectable_difference,
    mean_interval,
    paired_difference,
    sign_flip_p,
    t_test_p,
    wilcoxon_p,
)


def seeds(values):
    return dict(enumerate(values))


def test_the_bootstrap_interval_is_scipys_percentile_interval():
    d = stream(0, "bootstrapped").normal(0.02, 0.01, 25)
    d[0] = 0.2  # Left out, the interval would lie elsewhere.
    theirs = stats.bootstrap(
        (d,), np.mean, n_resamples=40_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert bootstrap_interval(d) == pytest.approx((theirs.low, theirs.high), abs=0.03 * width)
    found = paired_difference(seeds(d), seeds(np.zeros(25)))
    assert found.bootstrap == pytest.approx(bootstrap_interval(d))
    assert found.detectable == pytest.approx(detectable_difference(d.std(ddof=1), 25))


@pytest.mark.parametrize(
    ("n", "low", "high"), [(3, 1.0, 1.1), (4, 1.0, 1.03), (9, 1.0, 1.003), (50, 0.999, 1.0)]
)
def test_the_detectable_difference_is_near_that_of_the_tables_of_students_t(n, low, high):
    """The short cut from the tables asks for too little with few seeds and is exact with many."""
    short_cut = (stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)) / n**0.5
    assert low < detectable_difference(1.0, n) / short_cut < high


@pytest.mark.parametrize("n", [4, 8, 25])
def test_the_detectable_difference_is_that_of_scipys_noncentral_t(n):
    """Which has numbers from a few degrees of freedom on."""
    d = detectable_difference(1.0, n) * n**0.5
    bound = stats.t.ppf(0.975, n - 1)
    power = stats.nct.sf(bound, n - 1, d) + stats.nct.cdf(-bound, n - 1, d)
    assert power == pytest.approx(0.8, abs=1e-5)


def test_one_seed_is_counted_and_can_show_nothing():
    assert mean_interval([0.5]).seeds == 1
    assert paired_difference({3: 0.5}, {3: 0.4}).smallest_p == 1


def test_arms_without_a_common_seed_are_refused():
    with pytest.raises(ValueError, match=r"^the two arms have no seed in common"):
        paired_difference({0: 1.0}, {1: 1.0})


def test_the_same_difference_on_every_seed_has_no_interval_to_speak_of():
    assert t_test_p(mean_interval([0.5, 0.5, 0.5])) is None
    ours, theirs = {0: 0.2, 1: 0.3, 2: 0.9}, {0: 0.1, 1: 0.2, 2: 0.8}
    assert len({ours[seed] - theirs[seed] for seed in ours}) > 1, "they differ in rounding"
    found = paired_difference(ours, theirs)
    assert found.is_constant
    assert found.difference.spread == found.detectable == 0
    assert not paired_difference(ours, ours).is_constant
    assert not paired_difference(ours, {**theirs, 2: 0.7}).is_constant
    assert not paired_difference({0: 1.0}, {0: 0.5}).is_constant, "one seed has no spread at all"


def test_rounding_alone_is_no_difference():
    found = paired_difference({0: 0.1 + 0.2, 1: 0.1 + 0.7}, {0: 0.3, 1: 0.8})
    assert found.difference.mean == 0
    assert found.wilcoxon == 1


def test_a_spread_of_equal_values_is_exactly_zero():
    assert mean_interval([0.1] * 3).spread == 0


def test_sign_patterns_are_all_tried_up_to_twenty_seeds_and_drawn_beyond():
    assert sign_flip_p(np.arange(1.0, EXACT_SEEDS + 1)) == 2 / 2**EXACT_SEEDS
    # No pattern drawn comes near: the found one alone is counted.
    assert sign_flip_p(np.arange(1.0, 41)) == 1 / RESAMPLES


def test_wilcoxons_p_of_many_different_differences_is_exact():
    d = stream(0, "sixty").normal(0.2, 1, 60)
    exact, approximate = (stats.wilcoxon(d, method=m).pvalue for m in ("exact", "approx"))
    assert abs(exact - approximate) > 1e-6
    assert wilcoxon_p(d) == pytest.approx(exact, rel=1e-9)


def signed_rank_p(d):
    """Over all signs of the mid-ranks of |d|, the ranks of zeros split between the sides."""
    ranks = stats.rankdata(np.abs(d))[d != 0]
    sums = np.array([np.dot(s, ranks) for s in product((1, -1), repeat=len(ranks))])
    found = np.dot(np.sign(d[d != 0]), ranks)
    return (np.abs(sums) >= abs(found) - 1e-9).mean()


@pytest.mark.parametrize("d", [[1.0, 1, 1, -1, 2, 2, 3], [2.0, 2, 2, 2, -1, -1, 5, 5, 5]])
def test_wilcoxons_p_of_ties_is_that_of_all_sign_patterns(d):
    assert wilcoxon_p(np.array(d)) == pytest.approx(signed_rank_p(np.array(d)))


def test_zeros_have_ranks_in_wilcoxons_test():
    """The one loss has rank 6 of 4 to 8 for 4 of 16 ways; without the zeros it were 3 of 1 to 5."""
    d = np.array([0.0, 0.0, 0.0, 0.1, 0.2, -0.3, 0.4, 0.5])
    assert signed_rank_p(d) == 0.25
    assert wilcoxon_p(d) == pytest.approx(0.25)


def test_a_choice_tells_what_both_ways_of_choosing_would_report():
    validation = {"a": seeds([0.6, 0.6]), "b": seeds([0.5, 0.5]), "c": seeds([0.1, 0.1])}
    test = {"a": seeds([0.50, 0.52]), "b": seeds([0.60, 0.62]), "c": seeds([0.0, 0.1])}
    found = choose(validation, test)
    assert (found.chosen, found.by_test) == ("a", "b")
    assert found.test_of_chosen == pytest.approx(0.51)
    assert found.test_of_by_test == pytest.approx(0.61)
    assert found.votes == {"a": 2, "b": 0, "c": 0}


def test_of_no_candidates_none_is_chosen():
    assert choose({}, {}) is None


def test_a_choice_between_equals_is_the_firsts_whatever_their_last_bits():
    """fmean((0.1, 0.2)) is 0.15000000000000002."""
    first, second = {0: 0.15, 1: 0.15}, {0: 0.1, 1: 0.2}
    assert choose({"a": first, "b": second}, {"a": first, "b": second}).chosen == "a"
    bits = {0: 0.3, 1: 0.3}, {0: 0.1 + 0.2, 1: 0.1 + 0.2}
    found = choose(dict(zip("ab", bits, strict=True)), dict(zip("ab", bits, strict=True)))
    assert (found.chosen, found.by_test, found.votes) == ("a", "a", {"a": 2, "b": 0})


@pytest.mark.parametrize("n", [5, EXACT_SEEDS])
def test_sign_flips_do_not_heed_the_size_of_the_figures(n):
    d = stream(1, "sizes").normal(0.3, 1, n)
    assert {sign_flip_p(d * scale) for scale in (1e-13, 1e-6, 1.0, 1e9)} == {sign_flip_p(d)}
    # 0.1 + 0.2 - 0.3 is not 0: whoever adds up exactly finds every pattern as far from zero.
    assert sign_flip_p(1e12 * np.array([0.1, 0.2, -0.3])) == 1.0


@pytest.mark.parametrize("n", [14, 15])
def test_wilcoxons_p_is_exact_with_ties_and_zeros_beyond_scipys_thirteen(n):
    d = stream(n, "tied").integers(-2, 5, n) / 10
    assert 0 in d
    assert wilcoxon_p(d) == pytest.approx(signed_rank_p(d), rel=1e-9)
