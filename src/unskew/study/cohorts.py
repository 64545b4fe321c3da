"""Which of a study's waiting runs train together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from unskew.study.plan import PlannedRun
from unskew.training.replicas import kinship


def join(ready: Sequence[PlannedRun], most: int) -> list[PlannedRun]:
    """The first ready run and those of its kinship, at most so many; empty if none is ready.

    A run that takes over its twin's training trains nothing, so it goes alone.
    """
    if not ready:
        return []
    first = ready[0]
    kin = None if most == 1 or first.twin else kinship(first.recipe)
    if kin is None:
        return [first]
    alike = (run for run in ready if run.twin is None and kinship(run.recipe) == kin)
    return list(islice(alike, most))
