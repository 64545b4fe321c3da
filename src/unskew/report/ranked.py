"""Rankings, computed once for tables, figures and sentences: within a study, and over several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from unskew.evaluation.ranks import Ranks, rank
from unskew.report.compared import LOWER_IS_BETTER
from unskew.study.parts import RankedBlock, Ranking
from unskew.study.results import ArmResults, StudyResults
from unskew.study.text import Text, fill


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
    figures: by treatment, its mean figure over seeds in each of them; of the treatments that
        have a finished run in every one.
    left_out: treatments that have none in some.
    one_set: whether all blocks are of the same images.
    ranks: None where fewer than two blocks or treatments are left.
    """

    title: Text
    metric: str
    treatments: dict[str, Text]
    blocks: list[Text]
    figures: dict[str, list[float]]
    left_out: list[str]
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
    """Rank treatments that every place has, by their mean figures over seeds.

    Parameters
    ----------
    treatments: labels by name.
    """
    table: dict[str, list[dict[int, float]]] = {name: [] for name in treatments}
    for place in places:
        arms = place.treatments()
        for name, row in table.items():
            row.append(arms[name].metric(metric))
    begun = [k for k in range(len(places)) if any(row[k] for row in table.values())]
    figures = {
        name: [fmean(row[k].values()) for k in begun]
        for name, row in table.items()
        if all(row[k] for k in begun)
    }
    ranks = None
    if len(begun) > 1 and len(figures) > 1:
        sign = -1 if metric in LOWER_IS_BETTER else 1
        ranks = rank({name: [sign * value for value in row] for name, row in figures.items()})
    return Ranked(
        title=title,
        metric=metric,
        treatments=treatments,
        blocks=[places[k].label for k in begun],
        figures=figures,
        left_out=[name for name in table if name not in figures],
        one_set=len({places[k].data for k in begun}) < 2,
        ranks=ranks,
    )
