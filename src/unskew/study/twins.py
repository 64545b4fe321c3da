"""Which of a study's runs take over what another one has trained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from unskew.study.plan import PlannedRun
from unskew.training.twin import training_twin


def with_twins(runs: Iterable[PlannedRun]) -> list[PlannedRun]:
    """The same runs in the same order, each told of its twin if that is planned as well.

    Raises
    ------
    UserError: a remedy is unknown or its parts cannot go together.
    """
    planned = list(runs)
    digests = {run.recipe.digest for run in planned}
    told = []
    for run in planned:
        twin = training_twin(run.recipe)
        told.append(replace(run, twin=twin) if twin and twin.digest in digests else run)
    return told
