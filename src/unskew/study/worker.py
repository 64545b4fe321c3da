"""A process that trains the runs it is sent, one thread each."""

from __future__ import annotations

import os
import signal
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
    """An event of the run at hand."""

    event: Event


@dataclass(frozen=True)
class Over:
    """The task is done with: "finished" or "diverged", "busy" (another process has the run) or
    "failed", with a message.
    """

    outcome: str
    message: str = ""


@dataclass(frozen=True)
class Data:
    """How every worker opens the same images: from the cache that the first opening filled."""

    spec: str
    strict: bool
    image_size: int | None


def work(connection: Connection, data: Data, threads: int, device: str) -> None:
    """Serve tasks from `connection` until it closes; runs in a process of its own."""
    # Ctrl-C goes to the whole terminal; the parent decides when workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    from unskew.data.sources import open_data
    from unskew.kernels.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(threads)
    try:
        splits = open_data(data.spec, strict=data.strict, image_size=data.image_size)
        while True:
            task: Task = connection.recv()
            connection.send(_do(task, splits, connection, device))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent is gone, and whoever comes next goes on from the last checkpoint


def _do(task: Task, splits: Any, connection: Connection, device: str) -> Over:
    from filelock import FileLock, Timeout

    from unskew.training.recipe import make_recipe
    from unskew.training.run import execute

    task.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(task.folder / ".lock")
    try:
        with lock.acquire(timeout=0):
            outcome = execute(
                make_recipe(task.recipe),
                splits,
                task.folder,
                listen=lambda event: connection.send(Told(event)),
                device=device,
                twin=task.twin,
            )
            return Over(outcome.outcome, outcome.message)
    except Timeout:
        return Over("busy")
    except UserError as error:
        return Over("failed", str(error))
