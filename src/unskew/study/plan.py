"""From a study to the runs it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unskew.study.parts import FIRST_FRESH_SEED
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
    twin: recipe of another planned run that trains the same network; it goes first. Set by
        `unskew.study.twins`, since only who trains needs to know.
    """

    recipe: Recipe
    arms: tuple[str, ...]
    for_choice: bool = False
    twin: Recipe | None = None


def plan(study: Study, seeds: int, fingerprint: str) -> list[PlannedRun]:
    """All runs of the first stage, seed by seed, so that an early stop leaves whole seeds.

    Parameters
    ----------
    seeds: how many; they are 0, 1, ...
    fingerprint: of the opened data.
    """
    shares = {
        (name, selection.validation)
        for selection in study.expanded_selections()
        for name in selection.arms
    }
    arms = study.expanded_arms()
    wanted = [(name, 0.0) for name in arms] + sorted(shares)
    return _plan(study, wanted, range(seeds), fingerprint)


def plan_second_stage(
    study: Study, arms: Sequence[str], seeds: int, fingerprint: str
) -> list[PlannedRun]:
    """The runs of some arms with fresh seeds, seed by seed."""
    fresh = range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + seeds)
    return _plan(study, [(name, 0.0) for name in arms], fresh, fingerprint)


def _plan(
    study: Study, wanted: Sequence[tuple[str, float]], seeds: Iterable[int], fingerprint: str
) -> list[PlannedRun]:
    """A run for every seed and every wanted (arm, share of images held out)."""
    arms = study.expanded_arms()
    runs: list[PlannedRun] = []
    for seed in seeds:
        of_seed: dict[str, PlannedRun] = {}
        for name, validation in wanted:
            recipe = arms[name].recipe
            subset = recipe.subset_seed + (seed if study.subset_per_seed else 0)
            recipe = recipe.with_(
                seed=seed, subset_seed=subset, fingerprint=fingerprint, validation=validation
            )
            before = of_seed.get(recipe.digest)
            shared = (*before.arms, name) if before else (name,)
            of_seed[recipe.digest] = PlannedRun(recipe, shared, for_choice=validation > 0)
        runs += of_seed.values()
    return runs
