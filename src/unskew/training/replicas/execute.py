"""Several recipes from start to finish, trained together where they can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from unskew.data.imageset import Splits
from unskew.training.checkpoint import save_state
from unskew.training.device import fitting_on
from unskew.training.events import Event, RunEnded
from unskew.training.files import writing
from unskew.training.outcome import DIVERGED, FINISHED, RunOutcome, load_outcome
from unskew.training.recipe import Recipe
from unskew.training.replicas.replicas import Replicas
from unskew.training.run import OpenRun, check_same, open_run


@dataclass(frozen=True)
class Job:
    """One run of several: its recipe, its folder, and who is told of its progress."""

    recipe: Recipe
    folder: Path
    listen: Callable[[Event], None] = lambda event: None


def execute_together(
    jobs: Sequence[Job], splits: Splits, *, device: str = "cpu"
) -> list[RunOutcome]:
    """Train recipes of one `kinship` at once and write the folder of each, as `run.execute` does.

    Those that were killed at different epochs train in groups that stand at the same one.

    Raises
    ------
    UserError: a recipe does not fit the data, a folder cannot be written, or the device is full.
    ValueError: the recipes cannot train together.
    """
    groups: dict[int, list[tuple[Job, OpenRun]]] = defaultdict(list)
    for job in jobs:
        done = load_outcome(job.folder)
        if done is not None:
            check_same(done.run_id, job.recipe, job.folder)
            job.listen(RunEnded(done.run_id, done.outcome, done.message))
        else:
            with fitting_on(device, f"the run {job.folder}"):
                run = open_run(job.recipe, splits, job.folder, device)
            groups[len(run.trainer.state.history.epochs)].append((job, run))
    for group in groups.values():
        with fitting_on(device, f"{len(group)} runs at once"):
            _train([job for job, _ in group], [run for _, run in group])
    outcomes = [load_outcome(job.folder) for job in jobs]
    return [outcome for outcome in outcomes if outcome is not None]


def _train(jobs: Sequence[Job], runs: Sequence[OpenRun]) -> None:
    replicas = Replicas([run.trainer for run in runs])
    # Whose folder it is is not known here; all lie beside one another.
    with writing("the runs' folders in", jobs[0].folder.parent):
        replicas.fit(
            [job.listen for job in jobs],
            [lambda state, run=run: save_state(state, run.checkpoint) for run in runs],  # type: ignore[misc]
        )
    for job, run, why in zip(jobs, runs, replicas.diverged, strict=True):
        run.trainer.kernels = (
            f"{len(jobs)} runs at once, {replicas.kernels}, step: {replicas.engine}"
        )
        _stand_alone(run.trainer.state.network)
        run.close(DIVERGED if why else FINISHED, why, job.listen)


def _stand_alone(network: nn.Module) -> None:
    """Give recurrent layers back weights that lie together, as cuDNN wants them.

    They are views of all runs' tensors; it would gather them at each call, and warn.
    """
    for module in network.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()
