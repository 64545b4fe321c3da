"""An engine's training, measured from inside its own process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from engines import BATCH, start
from memory import alone, descendants, peak

IMAGES = 20_000
"""Random ones: speed does not depend on what is seen."""


@dataclass(frozen=True)
class Measured:
    """Images per second over some steps, and the largest memory so far, in MiB."""

    rate: float
    peak: float


def training(engine: str, model: str) -> Callable[[int], Measured]:
    """What trains so many steps when it is called; warmed up.

    Raises
    ------
    ImportError: the engine's library is not installed.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    steps = start(engine, model, images, rng.integers(0, 10, IMAGES))
    steps.send(3)  # what compiles compiles now

    def measure(wanted: int) -> Measured:
        begin = time.perf_counter()
        steps.send(wanted)
        seconds = time.perf_counter() - begin
        held = peak() + sum(map(alone, descendants(os.getpid())))
        return Measured(wanted * BATCH / seconds, held / 2**20)

    return measure
