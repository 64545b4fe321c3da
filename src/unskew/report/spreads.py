"""The study's spreads, computed once for tables, figures and sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unskew.evaluation.spread import Spread, spread
from unskew.report.compared import finished, lost, of_unlike_classes
from unskew.study import parts
from unskew.study.results import StudyResults


@dataclass(frozen=True)
class Spreading:
    """An expanded spread and what was found.

    Attributes
    ----------
    part: as the study names it.
    seeds: that all its arms have.
    figures: float (arms, seeds).
    found: None where fewer than two seeds are shared.
    undefined: whether all arms have finished on two seeds that have no such figure.
    unlike: whether the figure is a mean over classes that are not the same in all arms.
    diverged: seeds on which a run of one of the arms has; they are in no figure.
    """

    part: parts.Spread
    seeds: tuple[int, ...]
    figures: NDArray[np.float64]
    found: Spread | None
    undefined: bool = False
    unlike: bool = False
    diverged: tuple[int, ...] = ()


def spread_all(results: StudyResults) -> list[Spreading]:
    """Every spread of the study, over the seeds that its arms share."""
    return [_spread(results, part) for part in results.study.expanded_spreads()]


def _spread(results: StudyResults, part: parts.Spread) -> Spreading:
    by_arm = [results.arms[name].metric(part.metric) for name in part.arms]
    seeds = sorted(set.intersection(*(set(values) for values in by_arm)))
    figures = np.array([[values[seed] for seed in seeds] for values in by_arm], dtype=np.float64)
    arms = [results.arms[name] for name in part.arms]
    unlike = of_unlike_classes(part.metric, *arms)
    found = spread(figures) if len(seeds) > 1 and not unlike else None
    undefined = found is None and len(finished(*arms)) > 1
    gone = lost(results, *part.arms)
    return Spreading(part, tuple(seeds), figures, found, undefined, unlike, gone)
