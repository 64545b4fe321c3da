"""The study's interactions, computed once for tables, figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from unskew.evaluation.significance import paired_difference
from unskew.report.compared import Compared, corrected, lost
from unskew.study.parts import Interaction
from unskew.study.results import StudyResults


@dataclass(frozen=True)
class Interacting:
    """An expanded interaction and its outcome.

    Attributes
    ----------
    interaction: as the study names it.
    found: the first gain against the second: `means` are the two mean gains, `paired` and
        `by_seed` their difference. Its verdict is that of a figure of which more is better.
    """

    interaction: Interaction
    found: Compared

    @property
    def verdict(self) -> str:
        """ "larger" or "smaller" (the first gain than the second), "hint", "none" (no evidence),
        "constant", "single" (one seed), "diverged" or "missing", as of `Compared`.
        """
        verdict = self.found.verdict
        if verdict not in ("better", "worse") or self.found.paired is None:
            return verdict
        return "larger" if self.found.paired.difference.mean > 0 else "smaller"


def interact(results: StudyResults, family: list[Interaction]) -> list[Interacting]:
    """Every interaction of one family; p values corrected over those that have one."""
    found = corrected([_compare(results, interaction) for interaction in family])
    return [Interacting(*pair) for pair in zip(family, found, strict=True)]


def _compare(results: StudyResults, interaction: Interaction) -> Compared:
    first, second = (
        _gain(results, pair, interaction.metric)
        for pair in (interaction.first.pair, interaction.second.pair)
    )
    names = interaction.first.pair[0], interaction.second.pair[0]
    seeds = sorted(first.keys() & second.keys())
    diverged = lost(results, *interaction.first.pair, *interaction.second.pair)
    if not seeds:
        return Compared(*names, interaction.metric, diverged=diverged)
    return Compared(
        *names,
        interaction.metric,
        paired_difference(first, second),
        (fmean(first[seed] for seed in seeds), fmean(second[seed] for seed in seeds)),
        tuple(first[seed] - second[seed] for seed in seeds),
        diverged=diverged,
    )


def _gain(results: StudyResults, pair: tuple[str, str], metric: str) -> dict[int, float]:
    """Candidate minus baseline by seed."""
    ours, theirs = (results.arms[name].metric(metric) for name in pair)
    return {seed: ours[seed] - theirs[seed] for seed in ours.keys() & theirs.keys()}
