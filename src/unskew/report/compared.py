"""The study's comparisons, computed once for tables, figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

from unskew.evaluation.groups import classes_of
from unskew.evaluation.named import LOWER_IS_BETTER
from unskew.evaluation.significance import (
    PairedDifference,
    holm,
    paired_difference,
    t_test_p,
)
from unskew.study.parts import Comparison
from unskew.study.results import ArmResults, StudyResults

LEVEL = 0.05


@dataclass(frozen=True)
class Compared:
    """One pair of a comparison.

    Attributes
    ----------
    candidate, baseline: names of arms.
    metric: what they are compared in.
    paired: their difference; None while they share no finished seed.
    means: of candidate and baseline over the seeds they share.
    by_seed: candidate minus baseline on each shared seed.
    adjusted: p of the paired t test after Holm's correction over the comparison's family; None
        where there is no test, with fewer than two seeds or a difference that is always the same.
    family: comparisons that the correction is over.
    diverged: seeds on which a run of either has diverged; they are in no figure.
    undefined: whether they share finished seeds, on none of which both have the figure.
    unlike: whether the figure is a mean over a group of classes that are not the same in both.
    """

    candidate: str
    baseline: str
    metric: str
    paired: PairedDifference | None = None
    means: tuple[float, float] = (0.0, 0.0)
    by_seed: tuple[float, ...] = ()
    adjusted: float | None = None
    family: int = 0
    diverged: tuple[int, ...] = ()
    undefined: bool = False
    unlike: bool = False

    @property
    def verdict(self) -> str:
        """ "better", "worse", "hint", "none" (no evidence), "constant" (the same difference on
        every seed, of which no test can be made), "single" (one seed), "unlike" (means over
        different classes), "undefined" (no run has the figure, however many finish), "diverged" or
        "missing" (no seed is left, or there yet).

        A hint is an interval that leaves zero out where the corrected p is not small enough: of
        many comparisons some look so by chance.
        """
        if self.paired is None:
            if self.unlike:
                return "unlike"
            if self.undefined:
                return "undefined"
            return "diverged" if self.diverged else "missing"
        if self.paired.is_constant:
            return "constant"
        if self.adjusted is None:
            return "single"
        if self.adjusted >= LEVEL:
            return "none" if self.paired.verdict == "no evidence" else "hint"
        up = self.paired.difference.mean > 0
        return "better" if up != (self.metric in LOWER_IS_BETTER) else "worse"


def compare(results: StudyResults, comparison: Comparison) -> list[Compared]:
    """Every pair of an expanded comparison; p values corrected over the pairs that have one."""
    return corrected([_pair(results, *pair, comparison.metric) for pair in comparison.pairs])


def corrected(found: list[Compared]) -> list[Compared]:
    """One family of pairs, its p values corrected over the pairs that have one (Holm 1979)."""
    raw = [t_test_p(pair.paired.difference) if pair.paired else None for pair in found]
    tested = [p for p in raw if p is not None]
    adjusted = iter(holm(tested))
    return [
        pair if p is None else replace(pair, adjusted=next(adjusted), family=len(tested))
        for pair, p in zip(found, raw, strict=True)
    ]


def _pair(results: StudyResults, candidate: str, baseline: str, metric: str) -> Compared:
    ours, theirs = results.arms[candidate].metric(metric), results.arms[baseline].metric(metric)
    seeds, diverged = sorted(ours.keys() & theirs.keys()), lost(results, candidate, baseline)
    if not seeds:
        undefined = bool(finished(results.arms[candidate], results.arms[baseline]))
        return Compared(candidate, baseline, metric, diverged=diverged, undefined=undefined)
    if of_unlike_classes(metric, results.arms[candidate], results.arms[baseline]):
        return Compared(candidate, baseline, metric, diverged=diverged, unlike=True)
    return Compared(
        candidate,
        baseline,
        metric,
        paired_difference(ours, theirs),
        (fmean(ours[seed] for seed in seeds), fmean(theirs[seed] for seed in seeds)),
        tuple(ours[seed] - theirs[seed] for seed in seeds),
        diverged=diverged,
    )


def finished(*arms: ArmResults) -> set[int]:
    """Seeds on which every one of these arms has finished."""
    return set.intersection(*({s for s, run in a.runs.items() if run.evaluation} for a in arms))


def of_unlike_classes(metric: str, *arms: ArmResults) -> bool:
    """Whether a figure of these arms' runs is a mean over classes that are not the same in all:
    minority, or few-shot, after one skew are other classes than after another.
    """
    groups = {classes_of(metric, e.train_counts) for arm in arms for e in arm.evaluations}
    return len(groups) > 1


def lost(results: StudyResults, *arms: str) -> tuple[int, ...]:
    """Seeds on which a run of one of these arms has diverged, in order."""
    return tuple(sorted({seed for name in arms for seed in results.arms[name].diverged}))
