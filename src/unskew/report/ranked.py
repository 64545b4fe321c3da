"""The study's rankings, computed once for tables, figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from unskew.evaluation.ranks import Ranks, rank
from unskew.report.compared import LOWER_IS_BETTER
from unskew.study.parts import RankedBlock, Ranking
from unskew.study.results import StudyResults


@dataclass(frozen=True)
class Ranked:
    """An expanded ranking and its outcome.

    Attributes
    ----------
    ranking: as the study names it.
    blocks: those that have begun.
    figures: by treatment, its mean figure over seeds in each of them; of the treatments that
        have a finished run in every one.
    left_out: treatments that have none in some.
    ranks: None where fewer than two blocks or treatments are left.
    """

    ranking: Ranking
    blocks: list[RankedBlock]
    figures: dict[str, list[float]]
    left_out: list[str]
    ranks: Ranks | None


def rank_all(results: StudyResults) -> list[Ranked]:
    """Every ranking of the study."""
    return [_rank(results, ranking) for ranking in results.study.expanded_rankings()]


def _rank(results: StudyResults, ranking: Ranking) -> Ranked:
    treatments = ranking.treatments(list(results.arms))
    table = {
        name: [results.arms[arm].metric(ranking.metric) for arm in arms]
        for name, arms in treatments.items()
    }
    begun = [k for k in range(len(ranking.blocks)) if any(row[k] for row in table.values())]
    figures = {
        name: [fmean(row[k].values()) for k in begun]
        for name, row in table.items()
        if all(row[k] for k in begun)
    }
    ranks = None
    if len(begun) > 1 and len(figures) > 1:
        sign = -1 if ranking.metric in LOWER_IS_BETTER else 1
        ranks = rank({name: [sign * value for value in row] for name, row in figures.items()})
    return Ranked(
        ranking,
        [ranking.blocks[k] for k in begun],
        figures,
        [name for name in table if name not in figures],
        ranks,
    )
