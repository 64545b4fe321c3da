"""Rankings, computed once for tables, figures and sentences: within a study, and over several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from unskew.evaluation.ranks import Ranks, rank
from unskew.report.compared import LOWER_IS_BETTER, finished, of_unlike_classes
from unskew.study.parts import RankedBlock, Ranking
from unskew.study.results import ArmResults, StudyResults
from unskew.study.text import Text, fill, told_apart


@dataclass(frozen=True)
class Place:
    """A block of a ranking and where its arms are found.

    Attributes
    ----------
    label: the block in words.
    block: which arms stand for which treatments.
    arms: of the study that the block belongs to, by name.
    data: fingerprint of that study's images.
    """

    label: Text
    block: RankedBlock
    arms: Mapping[str, ArmResults]
    data: str

    def treatments(self) -> dict[str, ArmResults]:
        """The arm of each treatment, in the study's order."""
        found = {self.block.treatment(name): arm for name, arm in self.arms.items()}
        return {name: arm for name, arm in found.items() if name is not None}


@dataclass(frozen=True)
class Ranked:
    """A ranking and its outcome.

    Attributes
    ----------
    title, metric: what is ranked, by what.
    treatments: what each is called, in the first block's order.
    blocks: labels of those that have begun.
    figures: by treatment, its mean figure in each of them; of the treatments that have it on a
        seed in every one and of which no run has diverged.
    left_out: the other treatments.
    diverged: those of them of which a run has: what explodes on some seeds must not be ranked by
        those on which it did not, nor take these seeds from the others.
    seeds: in each block, how many the means are over: those that all ranked treatments have.
    undefined: labels of the blocks whose runs have finished and have no such figure.
    unlike: labels of the blocks in which the figure is a mean over different classes.
    waiting: whether runs are still to come that may be ranked.
    one_set: whether all blocks are of the same images.
    ranks: None where fewer than two blocks or treatments are left.
    """

    title: Text
    metric: str
    treatments: dict[str, Text]
    blocks: list[Text]
    figures: dict[str, list[float]]
    left_out: list[str]
    diverged: list[str]
    seeds: list[int]
    undefined: list[Text]
    unlike: list[Text]
    waiting: bool
    one_set: bool
    ranks: Ranks | None


def rank_all(results: StudyResults) -> list[Ranked]:
    """Every ranking of the study."""
    names, data = results.study.names, results.data.fingerprint

    def outcome(ranking: Ranking) -> Ranked:
        places = [
            Place(block.label or {"en": block.arms}, block, results.arms, data)
            for block in ranking.blocks
        ]
        treatments = {
            name: {
                language: fill(text, {"treatment": names.get(name, name)})
                for language, text in ranking.label.items()
            }
            for name in ranking.treatments(list(results.arms))
        }
        return rank_places(ranking.title, ranking.metric, treatments, places)

    return [outcome(ranking) for ranking in results.study.expanded_rankings()]


def rank_places(
    title: Text, metric: str, treatments: dict[str, Text], places: Sequence[Place]
) -> Ranked:
    """Rank treatments that every place has, by their mean figures over the seeds they share.

    Parameters
    ----------
    treatments: labels by name; two that are equal are told apart by their names.
    """
    by_place = [place.treatments() for place in places]
    arms = {name: [found[name] for found in by_place] for name in treatments}
    diverged = [name for name, row in arms.items() if any(arm.diverged for arm in row)]
    table = {
        name: [arm.metric(metric) for arm in row]
        for name, row in arms.items()
        if name not in diverged
    }
    every = range(len(places))
    begun = [k for k in every if any(row[k] for row in table.values())]
    unlike = [
        k for k in begun
        if of_unlike_classes(metric, *(arms[name][k] for name, row in table.items() if row[k]))
    ]  # fmt: skip
    begun = [k for k in begun if k not in unlike]
    undefined = [
        k
        for k in every
        if k not in (*begun, *unlike) and any(finished(arms[name][k]) for name in table)
    ]
    ranked = [name for name, row in table.items() if all(row[k] for k in begun)]
    shared = {k: set.intersection(*(set(table[n][k]) for n in ranked)) for k in begun if ranked}
    open_ = [k for k in every if k not in (*undefined, *unlike)]
    waiting = any(not arms[n][k].runs for n in table for k in open_)
    waiting = waiting or not all(shared.values())
    # A block whose treatments have no seed in common yet waits with those that have not begun.
    begun = [k for k in begun if shared.get(k)]
    figures = {n: [fmean(table[n][k][s] for s in sorted(shared[k])) for k in begun] for n in ranked}
    ranks = None
    if len(begun) > 1 and len(figures) > 1:
        sign = -1 if metric in LOWER_IS_BETTER else 1
        ranks = rank({name: [sign * value for value in row] for name, row in figures.items()})
    return Ranked(
        title=title,
        metric=metric,
        treatments=told_apart(treatments),
        blocks=[places[k].label for k in begun],
        figures=figures,
        left_out=[name for name in treatments if name not in figures],
        diverged=diverged,
        seeds=[len(shared[k]) for k in begun],
        undefined=[places[k].label for k in undefined],
        unlike=[places[k].label for k in unlike],
        waiting=waiting,
        one_set=len({places[k].data for k in begun}) < 2,
        ranks=ranks,
    )
