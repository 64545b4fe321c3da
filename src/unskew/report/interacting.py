"""The study's interactions, computed once for tables, figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from unskew.evaluation.named import LOWER_IS_BETTER
from unskew.evaluation.significance import paired_difference
from unskew.report.compared import Compared, corrected, finished, lost, of_unlike_classes
from unskew.study.parts import Interaction
from unskew.study.results import StudyResults


@dataclass(frozen=True)
class Interacting:
    """An expanded interaction and its outcome.

    Attributes
    ----------
    interaction: as the study names it.
    found: the first gain against the second: `means` are the two mean gains, `paired` and
        `by_seed` their difference.
    """

    interaction: Interaction
    found: Compared

    @property
    def verdict(self) -> str:
        """ "larger" or "smaller" (the first gain than the second; of a figure of which less is
        better, a gain is what it falls by), "hint", "none" (no evidence), "constant", "single"
        (one seed), "unlike", "undefined", "diverged" or "missing", as of `Compared`.
        """
        return {"better": "larger", "worse": "smaller"}.get(self.found.verdict, self.found.verdict)

    @property
    def of_a_loss(self) -> bool:
        """Whether less of the figure is better, so that it is no gain where it grows."""
        return self.interaction.metric in LOWER_IS_BETTER


def interact(results: StudyResults, family: list[Interaction]) -> list[Interacting]:
    """Every interaction of one family; p values corrected over those that have one."""
    found = corrected([_compare(results, interaction) for interaction in family])
    return [Interacting(*pair) for pair in zip(family, found, strict=True)]


def _compare(results: StudyResults, interaction: Interaction) -> Compared:
    pairs = interaction.first.pair, interaction.second.pair
    first, second = (_gain(results, pair, interaction.metric) for pair in pairs)
    names = pairs[0][0], pairs[1][0]
    seeds = sorted(first.keys() & second.keys())
    diverged = lost(results, *pairs[0], *pairs[1])
    arms = [[results.arms[name] for name in pair] for pair in pairs]
    if not seeds:
        undefined = bool(finished(*arms[0], *arms[1]))
        return Compared(*names, interaction.metric, diverged=diverged, undefined=undefined)
    if any(of_unlike_classes(interaction.metric, *pair) for pair in arms):
        return Compared(*names, interaction.metric, diverged=diverged, unlike=True)
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
