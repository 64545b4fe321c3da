import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unskew.data.randomness import stream
from unskew.evaluation.choice import choose
from unskew.evaluation.significance import (
    detectable_difference,
    holm,
    mean_interval,
    paired_difference,
    sign_flip_p,
    t_test_p,
    wilcoxon_p,
)


def seeds(values):
    return dict(enumerate(values))


def test_mean_interval_is_students():
    values = [0.61, 0.63, 0.60, 0.66]
    found = mean_interval(values)
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.seeds == 4


def test_one_seed_has_a_mean_and_no_interval():
    found = mean_interval([0.5])
    assert (found.mean, found.low, found.high, found.spread) == (0.5, None, None, None)
    paired = paired_difference({0: 0.5}, {0: 0.4})
    assert paired.verdict == "no evidence"
    assert (paired.wilcoxon, paired.bootstrap, paired.detectable) == (None, None, None)


@pytest.mark.parametrize("values", [[], [0.1, float("nan")]])
def test_nothing_or_nan_is_refused(values):
    with pytest.raises(ValueError, match="finite and at least one"):
        mean_interval(values)


def test_pairing_takes_out_what_seeds_share():
    rng = stream(0, "pairs")
    luck = rng.normal(0, 0.1, 6)
    baseline, candidate = seeds(0.5 + luck), seeds(0.52 + luck + rng.normal(0, 0.001, 6))
    assert paired_difference(candidate, baseline).verdict == "better"
    assert paired_difference(baseline, candidate).verdict == "worse"
    # Unpaired, the same figures show nothing.
    assert stats.ttest_ind(list(candidate.values()), list(baseline.values())).pvalue > 0.5


def test_only_shared_seeds_count():
    found = paired_difference({0: 1.0, 1: 2.0, 7: 9.0}, {0: 0.0, 1: 1.0, 8: 5.0})
    assert found.difference.seeds == 2
    assert found.difference.mean == 1
    with pytest.raises(ValueError, match="no seed in common"):
        paired_difference({0: 1.0}, {1: 1.0})


@pytest.mark.parametrize("n", [2, 3, 5, 6, 8])
def test_the_smallest_p_is_what_the_rank_tests_give_at_best(n):
    found = paired_difference(seeds(np.arange(1, n + 1) / 10), seeds(np.zeros(n)))
    assert found.smallest_p == 2 / 2**n
    assert found.wilcoxon == pytest.approx(found.smallest_p)
    assert found.sign_flip == pytest.approx(found.smallest_p)


def test_p_values_against_scipy():
    d = np.array([0.03, -0.01, 0.02, 0.05, 0.011, 0.04, -0.005])
    assert wilcoxon_p(d) == pytest.approx(stats.wilcoxon(d).pvalue)
    assert t_test_p(mean_interval(d.tolist())) == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    theirs = stats.permutation_test(
        (d,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(d) == pytest.approx(theirs.pvalue)


def test_no_difference_at_all():
    found = paired_difference(seeds([0.5] * 6), seeds([0.5] * 6))
    assert found.verdict == "no evidence"
    assert (found.wilcoxon, found.sign_flip) == (1, 1)
    assert t_test_p(found.difference) == 1


def test_many_seeds_are_sampled_and_agree_with_the_t_test():
    d = stream(1, "many").normal(0.5, 1, 40)
    assert sign_flip_p(d) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_power_of_the_detectable_difference_is_80_percent(n):
    spread = 0.02
    true = detectable_difference(spread, n)
    draws = stream(0, "power").normal(true, spread, (20_000, n))
    found = stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_intervals_cover_the_truth():
    draws = stream(0, "cover").normal(0.3, 0.1, (400, 6))
    covered = [i.low < 0.3 < i.high for i in (mean_interval(row.tolist()) for row in draws)]
    assert 0.92 < np.mean(covered) < 0.98


def test_holm_is_holms():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_order_and_never_helps(p):
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    assert max(adjusted) <= 1
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_choosing_on_validation_and_the_optimism_of_choosing_on_test():
    validation = {"none": seeds([0.5, 0.5, 0.5]), "decay": seeds([0.6, 0.4, 0.6])}
    test = {"none": seeds([0.55, 0.56, 0.57]), "decay": seeds([0.50, 0.60, 0.50])}
    found = choose(validation, test)
    assert found.chosen == "decay"
    assert found.by_test == "none"
    assert found.votes == {"none": 1, "decay": 2}
    assert found.optimism == pytest.approx((0.55 + 0.60 + 0.57) / 3 - (0.5 + 0.6 + 0.5) / 3)


def test_choosing_waits_for_complete_seeds_and_prefers_the_first_of_equals():
    assert choose({"a": {0: 0.5}, "b": {}}, {"a": {0: 0.5}, "b": {0: 0.5}}) is None
    same = {"a": {0: 0.5, 1: 0.1}, "b": {0: 0.5}}
    assert choose(same, same).chosen == "a"
    assert choose(same, same).seeds == (0,)


def test_one_difference_of_all_seeds_is_no_evidence():
    """Its interval has no width: seeds can agree to the last image by luck."""
    found = paired_difference({0: 0.5, 1: 0.6}, {0: 0.4, 1: 0.5})
    assert found.is_constant
    assert found.verdict == "no evidence"
