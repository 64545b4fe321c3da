"""The study's comparisons, computed once for tables, figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.evaluation.significance import (
    PairedDifference,
    holm,
    paired_difference,
    t_test_p,
)
from unskew.study.results import StudyResults
from unskew.study.spec import Comparison

LEVEL = 0.05


@dataclass(frozen=True)
class Compared:
    """One pair of a comparison.

    Attributes
    ----------
    candidate, baseline: names of arms.
    paired: their difference; None while they share no finished seed.
    by_seed: candidate minus baseline on each shared seed.
    adjusted: p of the paired t test after Holm's correction over the comparison's family; None
        with fewer than two seeds.
    """

    candidate: str
    baseline: str
    paired: PairedDifference | None
    by_seed: tuple[float, ...] = ()
    adjusted: float | None = None

    @property
    def verdict(self) -> str:
        """"better", "worse", "none" (no evidence), "single" (one seed) or "missing"."""
        if self.paired is None:
            return "missing"
        if self.adjusted is None:
            return "single"
        if self.adjusted >= LEVEL:
            return "none"
        return "better" if self.paired.difference.mean > 0 else "worse"


def compare(results: StudyResults, comparison: Comparison) -> list[Compared]:
    """Every pair of an expanded comparison; p values corrected over the pairs that have one."""
    found: list[Compared] = []
    for candidate, baseline in comparison.pairs:
        ours = results.arms[candidate].metric(comparison.metric)
        theirs = results.arms[baseline].metric(comparison.metric)
        seeds = sorted(ours.keys() & theirs.keys())
        if not seeds:
            found.append(Compared(candidate, baseline, None))
            continue
        by_seed = tuple(ours[seed] - theirs[seed] for seed in seeds)
        found.append(Compared(candidate, baseline, paired_difference(ours, theirs), by_seed))
    tested = [k for k, pair in enumerate(found) if pair.paired and len(pair.by_seed) > 1]
    raw = [t_test_p(found[k].paired.difference) or 0.0 for k in tested]  # type: ignore[union-attr]
    for k, p in zip(tested, holm(raw), strict=True):
        pair = found[k]
        found[k] = Compared(pair.candidate, pair.baseline, pair.paired, pair.by_seed, p)
    return found
