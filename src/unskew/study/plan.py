"""From a study to the runs it takes."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.study.spec import Study
from unskew.training.recipe import Recipe


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study.

    Attributes
    ----------
    recipe: complete, with seed and fingerprint.
    arms: names of the arms it serves; arms whose recipes agree share their runs.
    for_choice: it is judged on held-out training images and only serves to choose.
    """

    recipe: Recipe
    arms: tuple[str, ...]
    for_choice: bool = False


def plan(study: Study, seeds: int, fingerprint: str) -> list[PlannedRun]:
    """All runs, seed by seed, so that an early stop leaves whole seeds to compare.

    Parameters
    ----------
    seeds: how many; they are 0, 1, ...
    fingerprint: of the opened data.
    """
    arms = study.expanded_arms()
    shares = {
        (name, selection.validation)
        for selection in study.expanded_selections()
        for name in selection.arms
    }
    runs: dict[str, PlannedRun] = {}
    for seed in range(seeds):
        wanted = [(name, 0.0) for name in arms] + sorted(shares)
        for name, validation in wanted:
            recipe = arms[name].recipe.with_(
                seed=seed, fingerprint=fingerprint, validation=validation
            )
            before = runs.get(recipe.digest)
            shared = (*before.arms, name) if before else (name,)
            runs[recipe.digest] = PlannedRun(recipe, shared, for_choice=validation > 0)
    return list(runs.values())
