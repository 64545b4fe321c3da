"""Whether a difference between two arms is more than the luck of the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from unskew.data.randomness import stream
from unskew.evaluation.conventions import CONFIDENCE, DECIMALS

RESAMPLES = 10_000
EXACT_SEEDS = 20
"""Up to so many seeds every one of the 2^n sign patterns is tried; beyond, RESAMPLES of them."""
POWER = 0.8
NODES = 200
"""Points of the quadrature over the spread that a sample may show."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, and where the mean of many seeds would lie with 95 % confidence.

    Attributes
    ----------
    mean: over the seeds.
    low, high: of Student's t interval; None for fewer than two seeds.
    spread: standard deviation between seeds (n - 1); None for fewer than two seeds.
    seeds: n.
    """

    mean: float
    low: float | None
    high: float | None
    spread: float | None
    seeds: int


@dataclass(frozen=True)
class PairedDifference:
    """Candidate minus baseline over the seeds that both have.

    Attributes
    ----------
    difference: mean with its t interval.
    bootstrap: percentile interval of the resampled mean; None for fewer than two seeds.
    wilcoxon: two-sided p of the signed-rank test (Wilcoxon 1945), exact; None for n < 2.
    sign_flip: two-sided p of the exact sign-flip test of the mean; None for n < 2.
    smallest_p: the smallest p either rank test can give with so many seeds, 2 / 2^n.
    detectable: the smallest true difference that n seeds of this spread show with 80 % power
        at the 5 % level; None for n < 2.
    """

    difference: Interval
    bootstrap: tuple[float, float] | None
    wilcoxon: float | None
    sign_flip: float | None
    smallest_p: float
    detectable: float | None

    @property
    def is_constant(self) -> bool:
        """Whether all seeds, two or more, give one difference that is not zero.

        The t interval has no width then and its test no meaning. Shares of few test images move
        in coarse steps, so that seeds can agree to the last image by luck.
        """
        return self.difference.spread == 0 and self.difference.mean != 0

    @property
    def verdict(self) -> str:
        """ "better", "worse" or "no evidence": whether the t interval is clear of zero.

        The interval is the criterion, and not a rank test, because with five seeds or fewer no
        rank test can reach 5 %; its p and the smallest it could reach are told beside it. Where
        the difference `is_constant` the interval has no width, and is none.
        """
        if self.is_constant:
            return "no evidence"
        low, high = self.difference.low, self.difference.high
        if low is not None and low > 0:
            return "better"
        if high is not None and high < 0:
            return "worse"
        return "no evidence"


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean of one figure over seeds with Student's t interval.

    Raises
    ------
    ValueError: there are no values, or one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if not len(found) or not np.isfinite(found).all():
        raise ValueError(f"values must be finite and at least one, not {found.tolist()}")
    mean, n = float(found.mean()), len(found)
    if n < 2:
        return Interval(mean, None, None, None, n)
    spread = float(found.std(ddof=1)) if np.ptp(found) else 0.0
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, spread, n)


def paired_difference(
    candidate: Mapping[int, float], baseline: Mapping[int, float]
) -> PairedDifference:
    """Compare two arms seed by seed.

    Arms of one network and training set share a seed's initial weights, order of images and
    augmentation, so their difference is free of what the seed does to both. Others share less,
    and pairing takes less out of their difference.

    Parameters
    ----------
    candidate, baseline: figure by seed; seeds that only one of them has are left out.

    Raises
    ------
    ValueError: they share no seed.
    """
    shared = sorted(candidate.keys() & baseline.keys())
    if not shared:
        raise ValueError("the two arms have no seed in common")
    differences = np.array([candidate[seed] - baseline[seed] for seed in shared]).round(DECIMALS)
    interval = mean_interval(differences.tolist())
    n = len(shared)
    smallest = min(1.0, 2 / 2**n)
    if interval.spread is None:
        return PairedDifference(interval, None, None, None, smallest, None)
    return PairedDifference(
        interval,
        bootstrap_interval(differences),
        wilcoxon_p(differences),
        sign_flip_p(differences),
        smallest,
        detectable_difference(interval.spread, n),
    )


def bootstrap_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval of the mean (Efron & Tibshirani 1993, chapter 13).

    With few seeds it is too narrow; it is given beside the t interval, not in its place.
    """
    n = len(differences)
    rows = stream(0, "bootstrap").integers(0, n, (RESAMPLES, n))
    means = differences[rows].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def wilcoxon_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; 1 where all differences are zero.

    Exact however many differences there are and whether or not some are equal or zero, where
    SciPy goes over to the normal distribution. Zeros are ranked, and their ranks go half to
    either side ("zsplit" in SciPy).
    """
    signed = signed_ranks(differences)
    # Chances of the sum of ranks that are positive, from dealing one sign after the other.
    chances = np.ones(1)
    for rank in np.abs(signed[signed != 0]):
        chances = (np.pad(chances, (rank, 0)) + np.pad(chances, (0, rank))) / 2
    balance = np.abs(2 * np.arange(len(chances)) - (len(chances) - 1))
    return float(min(1.0, chances[balance >= abs(signed.sum())].sum()))


def signed_ranks(differences: NDArray[np.float64]) -> NDArray[np.int64]:
    """Twice the ranks of the differences' sizes, which may end in a half, with their signs.

    Where their sum is above zero, Wilcoxon's test speaks for differences above zero. The mean can
    lie on the other side.
    """
    twice = np.rint(2 * stats.rankdata(np.abs(differences))).astype(np.int64)
    signed: NDArray[np.int64] = np.sign(differences).astype(np.int64) * twice
    return signed


def sign_flip_p(differences: NDArray[np.float64]) -> float:
    """Share of sign patterns under which the mean is at least as far from zero as it is.

    Exact up to EXACT_SEEDS differences; beyond, from RESAMPLES random patterns, itself counted.
    """
    n = len(differences)
    if n <= EXACT_SEEDS:
        # The first keeps its sign: flipping it as well mirrors every sum, which has the same size.
        sums = differences[:1]
        for difference in differences[1:]:
            sums = np.concatenate([sums + difference, sums - difference])
    else:
        signs = stream(0, "sign flips").choice([1, -1], (RESAMPLES, n))
        signs[0] = 1
        sums = signs @ differences
    # In proportion to what is summed up: losses may differ by 1e-12, or by thousands.
    rounding = 1e-12 * np.abs(differences).sum()
    return float((np.abs(sums) >= abs(differences.sum()) - rounding).mean())


def detectable_difference(spread: float, n: int) -> float:
    """The true difference that a paired t test at 5 % finds with 80 % power.

    d * s / sqrt(n), where t of n - 1 degrees of freedom and noncentrality d lies beyond the test's
    bounds in 80 of 100 samples (Cohen 1988, chapter 2). The usual short cut for d, t_{0.975} +
    t_{0.8}, has 73 % power with two seeds and 78 % with four.

    Parameters
    ----------
    spread: standard deviation of the differences, s.
    n: seeds, at least two.
    """
    return _noncentrality(n) * spread / math.sqrt(n)


@lru_cache
def _noncentrality(n: int) -> float:
    """d of `detectable_difference`.

    The mean over what spread a sample may show, its quantiles as nodes: SciPy's noncentral t ends
    in NaN for one degree of freedom.
    """
    bound = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    bounds = bound * stats.chi.ppf((nodes + 1) / 2, n - 1) / math.sqrt(n - 1)

    def lacking(d: float) -> float:
        found = stats.norm.cdf(d - bounds) + stats.norm.cdf(-d - bounds)
        return float(weights @ found) / 2 - POWER

    return float(brentq(lacking, 0.0, 10 * bound))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for a family of tests (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def t_test_p(difference: Interval) -> float | None:
    """Two-sided p of the paired t test that goes with an interval.

    None for n < 2, and where all seeds give one difference that is not 0: its limit, p = 0, would
    take for certain what coarse figures do by luck. Where all differences are 0 it is 1.
    """
    if difference.spread is None:
        return None
    if difference.spread == 0:
        return 1.0 if difference.mean == 0 else None
    t = abs(difference.mean) / (difference.spread / math.sqrt(difference.seeds))
    return float(2 * stats.t.sf(t, difference.seeds - 1))
