"""Treatments ranked within blocks: whether one is better than another whatever the block."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from unskew.data.randomness import stream
from unskew.evaluation.conventions import CONFIDENCE, DECIMALS
from unskew.evaluation.significance import RESAMPLES, holm, signed_ranks, wilcoxon_p

LEVEL = 1 - CONFIDENCE
FEWEST_BLOCKS = 6
"""With fewer, 2 / 2^N is above 5 %: no pair, taken alone, can be told apart by its ranks."""

Method = Literal["none", "wilcoxon", "ranks"]


@dataclass(frozen=True)
class Ranks:
    """Mean ranks over blocks, and which treatments they tell apart.

    Attributes
    ----------
    means: mean rank by treatment, the best (1) first; equals share the mean of their places.
    blocks: N, how many.
    method: how pairs are judged. "wilcoxon": the signed-rank test over blocks with Holm's
        correction over all pairs, which judges a pair by its own figures whatever else is ranked
        (Benavoli et al. 2016). "ranks": the difference of their mean ranks, as Nemenyi's test
        does (Demšar 2006), for N too small for the first to show anything. "none": N is too
        small for either.
    smallest_p: the least that "wilcoxon" can give, pairs · 2 / 2^N, at most 1.
    friedman: p of Friedman's test that all treatments are alike; None for "none", and for two
        treatments, of which Wilcoxon's test says all.
    critical: the smallest difference of mean ranks that counts; None but for "ranks", and there
        too where none would.
    cliques: groups of neighbours in rank within which no pair is told apart, as large as can be;
        a treatment that is told apart from all others is in none.
    told: the pairs that are told apart, the better first: by the test that judges them. By
        Wilcoxon's these need not be the pairs furthest apart in rank, nor need the better have
        the better mean rank, as where it is a little worse in most blocks and much better in some.
    p_values: of every pair, the better first likewise, after any correction; empty for "none".
    """

    means: dict[str, float]
    blocks: int
    method: Method
    smallest_p: float
    friedman: float | None
    critical: float | None
    cliques: tuple[tuple[str, ...], ...]
    told: tuple[tuple[str, str], ...] = ()
    p_values: dict[tuple[str, str], float] = field(default_factory=dict)


def rank(figures: Mapping[str, Sequence[float]]) -> Ranks:
    """Rank treatments by figures of which larger ones are better.

    Both null distributions, of Friedman's statistic and of the largest difference of mean ranks,
    are those of ranks that are dealt anew within each block, RESAMPLES times: the usual tables
    hold for more blocks than a study has. The second is that of the studentised range in
    Nemenyi's test, so the risk of telling any pair apart wrongly is 5 % where all are alike.

    Parameters
    ----------
    figures: by treatment, its figure in each of N blocks, in one order of the blocks.

    Raises
    ------
    ValueError: there are fewer than two treatments or no block, figures differ in number, or
        one is not finite.
    """
    names = list(figures)
    if len(names) < 2 or len({len(values) for values in figures.values()}) != 1:
        raise ValueError("at least two treatments are needed, with a figure in every block each")
    # Means of equal figures differ in their last bit, and would have different ranks.
    table = np.array([figures[name] for name in names], dtype=np.float64).T.round(DECIMALS)
    if not table.size or not np.isfinite(table).all():
        raise ValueError("figures must be finite, in one block at least")
    ranks = rankdata(-table, axis=1)
    means = ranks.mean(axis=0)
    order = np.argsort(means, kind="stable")
    blocks, treatments = table.shape
    pairs = math.comb(treatments, 2)
    smallest = min(1.0, pairs * 2 / 2**blocks)
    method: Method = "wilcoxon" if smallest <= LEVEL else "ranks"
    friedman = critical = None
    cliques: list[list[int]] = []
    told: set[tuple[int, int]] = set()
    p: dict[tuple[int, int], float] = {}
    if blocks < FEWEST_BLOCKS:
        method = "none"
    else:
        dealt = _dealt(ranks)
        # Of two treatments it is the sign test, which sees less than Wilcoxon's.
        friedman = _share(_spread(dealt), _spread(means)) if treatments > 2 else None
        if method == "ranks":
            ranges = np.ptp(dealt, axis=1)
            critical = _critical(ranges)
            p = {
                (i, j): _share(ranges, abs(means[i] - means[j]))
                for i, j in combinations(range(treatments), 2)
            }
        else:
            p = _wilcoxon(table)
        # Pairs are looked at only where the treatments are not all alike (Demšar 2006).
        if friedman is None or friedman <= LEVEL:
            told = {pair for pair, value in p.items() if value <= LEVEL}
        cliques = _cliques(order.tolist(), told)
    ordered = list(combinations(order.tolist(), 2))
    if method == "wilcoxon":
        ordered = [_better_first(table, pair) for pair in ordered]
    return Ranks(
        means={names[i]: float(means[i]) for i in order},
        blocks=blocks,
        method=method,
        smallest_p=smallest,
        friedman=friedman,
        critical=critical,
        cliques=tuple(tuple(names[i] for i in clique) for clique in cliques),
        told=tuple(
            (names[i], names[j]) for i, j in ordered if (min(i, j), max(i, j)) in told
        ),
        p_values={(names[i], names[j]): p[min(i, j), max(i, j)] for i, j in ordered if p},
    )  # fmt: skip


def _dealt(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean ranks, float64 (RESAMPLES, K), of ranks (N, K) dealt anew within each block."""
    rng = stream(0, "ranks")
    total = np.zeros((RESAMPLES, ranks.shape[1]))
    for block in ranks:
        total += rng.permuted(np.tile(block, (RESAMPLES, 1)), axis=1)
    means: NDArray[np.float64] = total / len(ranks)
    return means


def _spread(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Friedman's statistic (Friedman 1937) up to a factor that dealing does not change."""
    spread: NDArray[np.float64] = means.var(axis=-1)
    return spread


def _share(null: NDArray[np.float64], found: float | NDArray[np.float64]) -> float:
    """p: how many are at least as large, the found one counted among them."""
    return float(((null >= found - 1e-9).sum() + 1) / (len(null) + 1))


def _critical(ranges: NDArray[np.float64]) -> float | None:
    """The smallest range whose p is at most LEVEL; None if even the largest has a larger one."""
    counted = [value for value in np.unique(ranges) if _share(ranges, value) <= LEVEL]
    return float(counted[0]) if counted else None


def _wilcoxon(table: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """p of each pair of treatments after Holm's correction, from figures (N, K)."""
    pairs = list(combinations(range(table.shape[1]), 2))
    return dict(zip(pairs, holm([wilcoxon_p(_differences(table, *p)) for p in pairs]), strict=True))


def _better_first(table: NDArray[np.float64], pair: tuple[int, int]) -> tuple[int, int]:
    """A pair in the order that Wilcoxon's test speaks for; as it is where that is undecided."""
    i, j = pair
    return (j, i) if signed_ranks(_differences(table, i, j)).sum() < 0 else pair


def _differences(table: NDArray[np.float64], i: int, j: int) -> NDArray[np.float64]:
    differences: NDArray[np.float64] = (table[:, i] - table[:, j]).round(DECIMALS)
    return differences


def _cliques(order: list[int], told: set[tuple[int, int]]) -> list[list[int]]:
    """Runs of `order` of two or more without a pair that is told apart, none within another."""
    found: list[list[int]] = []
    reached = 0
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not any(
            (min(i, order[end]), max(i, order[end])) in told for i in order[start:end]
        ):
            end += 1
        if end - start > 1 and end > reached:
            found.append(order[start:end])
        reached = max(reached, end)
    return found
