"""Whether every arm of a study can be run, said before the first is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from unskew.data.imageset import Splits
from unskew.errors import UserError
from unskew.study.plan import PlannedRun
from unskew.study.spec import Study
from unskew.training.fitting import check_fits, check_recipe


def check_arms(study: Study) -> None:
    """What can be said before the data are opened.

    Raises
    ------
    UserError: as `check_recipe`, naming the first arm of which it is so.
    """
    for name, arm in study.expanded_arms().items():
        with _naming(name):
            check_recipe(arm.recipe)


def check_runs(runs: Iterable[PlannedRun], splits: Splits) -> None:
    """What can be said of runs without training a step.

    Raises
    ------
    UserError: as `check_fits`, naming the first arm of which it is so.
    """
    for run in runs:
        with _naming(run.arms[0]):
            check_fits(run.recipe, splits)


@contextmanager
def _naming(arm: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"arm {arm!r}: {error}") from None
