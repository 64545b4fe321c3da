"""Processes that measure when asked, so that no engine sets another's threads or memory."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

Ready = Callable[[int], Any]
"""Does so many steps and gives what they took."""


class Child:
    """A process of so many threads.

    Parameters
    ----------
    prepare: called in the process with `arguments`; what it returns serves each `ask`.
    """

    def __init__(self, threads: int, prepare: Callable[..., Ready], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads, prepare, arguments))
        self._process.start()
        theirs.close()

    def problem(self) -> str | None:
        """Why it cannot measure, or None; waits until it is ready."""
        answer: str | None = self._connection.recv()
        return answer

    def ask(self, steps: int) -> None:
        """Begin so many steps."""
        self._connection.send(steps)

    def answer(self) -> Any:
        """What they took."""
        return self._connection.recv()

    def end(self) -> None:
        """Let the process go, so that it can end its own, or stop it."""
        self._connection.close()
        self._process.join(timeout=5)
        self._process.terminate()
        self._process.join()


def at_once(children: list[Child], steps: int) -> list[Any]:
    """Let all begin together, and wait for every answer."""
    for child in children:
        child.ask(steps)
    return [child.answer() for child in children]


def _serve(
    connection: Connection, threads: int, prepare: Callable[..., Ready], arguments: Any
) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if threads < len(cores):
        # TensorFlow and JAX take every core that they see, whatever they are told.
        place = multiprocessing.current_process()._identity[-1] * threads
        os.sched_setaffinity(0, {cores[(place + k) % len(cores)] for k in range(threads)})
    os.environ |= {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        import torch

        torch.set_num_threads(threads)
        ready = prepare(*arguments)
    except ImportError as error:
        connection.send(str(error))
        return
    connection.send(None)
    try:
        while True:
            connection.send(ready(connection.recv()))
    except EOFError:
        return
