"""A process that trains the runs it is sent, one thread each or many at once on a GPU."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from unskew.errors import UserError
from unskew.training.events import Event


@dataclass(frozen=True)
class Task:
    """One run to do: its recipe as plain values, its folder and, if it has one, its twin's."""

    recipe: dict[str, Any]
    folder: Path
    twin: Path | None = None


@dataclass(frozen=True)
class Told:
    """An event of a run at hand, named by its id."""

    run: str
    event: Event


@dataclass(frozen=True)
class Over:
    """A run is done with: "finished" or "diverged", "busy" (another process has it) or "failed",
    with a message.
    """

    run: str
    outcome: str
    message: str = ""


@dataclass(frozen=True)
class Data:
    """How every worker opens the same images: from the cache that the first opening filled.

    Attributes
    ----------
    fingerprint: of the images that the study was begun with.
    """

    spec: str
    strict: bool
    image_size: int | None
    fingerprint: str


def work(
    connection: Connection, data: Data, threads: int, device: str, environment: dict[str, str]
) -> None:
    """Serve lists of tasks from `connection` until it closes; runs in a process of its own.

    The runs of one list are of one kinship and train together, unless it has one alone.

    Parameters
    ----------
    environment: the parent's; a process that is forked from a server has what was the parent's
        when the server began.
    """
    # Ctrl-C goes to the whole terminal; the parent decides when workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment | {"OMP_NUM_THREADS": str(threads)})
    import torch

    from unskew.kernels.memory import keep_freed_memory
    from unskew.training.compiler import import_compiler_late

    keep_freed_memory()
    import_compiler_late()
    torch.set_num_threads(threads)
    try:
        splits, fault = _open(data)
        while True:
            tasks: list[Task] = connection.recv()
            overs = _refuse(tasks, fault) if fault else _do(tasks, splits, connection, device)
            for over in overs:
                connection.send(over)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone, and whoever comes next goes on from the last checkpoint


def _open(data: Data) -> tuple[Any, str]:
    """The images, and why nothing may be trained on them; empty where they are the study's.

    A folder may change after the study has opened it: while the first runs train, or before a
    second stage starts workers of its own.
    """
    from unskew.data.sources import open_data

    try:
        splits = open_data(data.spec, strict=data.strict, image_size=data.image_size)
    except UserError as error:
        return None, str(error)
    if splits.fingerprint != data.fingerprint:
        return None, (
            f"the images of {data.spec} have changed since the study began: put them back as they "
            "were, or name another folder with --out"
        )
    return splits, ""


def _refuse(tasks: list[Task], fault: str) -> list[Over]:
    from unskew.training.recipe import make_recipe

    return [Over(make_recipe(task.recipe).run_id, "failed", fault) for task in tasks]


def _do(tasks: list[Task], splits: Any, connection: Connection, device: str) -> list[Over]:
    from filelock import Timeout

    from unskew.training.recipe import make_recipe
    from unskew.training.replicas.execute import Job, execute_together
    from unskew.training.run import execute, held

    overs: list[Over] = []
    with ExitStack() as locks:
        jobs: list[Job] = []
        for task in tasks:
            recipe = make_recipe(task.recipe)
            try:
                locks.enter_context(held(task.folder))
            except Timeout:
                overs.append(Over(recipe.run_id, "busy"))
                continue
            except UserError as error:
                overs.append(Over(recipe.run_id, "failed", str(error)))
                continue

            def tell(event: Event, name: str = recipe.run_id) -> None:
                connection.send(Told(name, event))

            jobs.append(Job(recipe, task.folder, tell))
        if not jobs:
            return overs
        twins = {make_recipe(task.recipe).run_id: task.twin for task in tasks}

        def alone(job: Job) -> Over:
            twin = twins[job.recipe.run_id]
            try:
                done = execute(
                    job.recipe, splits, job.folder, listen=job.listen, device=device, twin=twin
                )
            except UserError as error:
                return Over(job.recipe.run_id, "failed", str(error))
            return Over(done.run_id, done.outcome, done.message)

        if len(jobs) == 1:
            return [*overs, alone(jobs[0])]
        try:
            outcomes = execute_together(jobs, splits, device=device)
            overs += [Over(done.run_id, done.outcome, done.message) for done in outcomes]
        except UserError:  # of one of them: the others need not fail with it
            overs += [alone(job) for job in jobs]
    return overs
