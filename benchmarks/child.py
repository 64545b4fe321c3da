"""One engine in a process of its own, so that none sets another's threads or memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
from engines import BATCH, start

IMAGES = 20_000
"""Random ones: speed does not depend on what is seen."""


@dataclass(frozen=True)
class Measured:
    """Images per second over some steps, and the process's largest memory so far, in MiB."""

    rate: float
    peak: float


class Child:
    """A process that trains when asked."""

    def __init__(self, engine: str, model: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, engine, model, threads))
        self._process.start()
        theirs.close()

    def problem(self) -> str | None:
        """Why the engine cannot run, or None; waits until it is ready."""
        answer: str | None = self._connection.recv()
        return answer

    def ask(self, steps: int) -> None:
        """Begin to train so many steps."""
        self._connection.send(steps)

    def answer(self) -> Measured:
        """What they took."""
        measured: Measured = self._connection.recv()
        return measured

    def end(self) -> None:
        """Stop the process."""
        self._connection.close()
        self._process.terminate()
        self._process.join()


def _serve(connection: Connection, engine: str, model: str, threads: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if threads < len(cores):
        # TensorFlow and JAX take every core that they see, whatever they are told.
        place = multiprocessing.current_process()._identity[-1] * threads
        os.sched_setaffinity(0, {cores[(place + k) % len(cores)] for k in range(threads)})
    os.environ |= {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        import torch

        torch.set_num_threads(threads)
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
        steps = start(engine, model, images, rng.integers(0, 10, IMAGES))
        steps.send(3)  # what compiles compiles now
    except ImportError as error:
        connection.send(str(error))
        return
    connection.send(None)
    try:
        while True:
            wanted: int = connection.recv()
            begin = time.perf_counter()
            steps.send(wanted)
            seconds = time.perf_counter() - begin
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            connection.send(Measured(wanted * BATCH / seconds, peak))
    except EOFError:
        return
