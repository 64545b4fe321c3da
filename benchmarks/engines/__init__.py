"""The same training as different users would write it.

Each module has `steps(model, images, labels)`, which trains on uint8 images (N, 32, 32, 3) with
the coursework's recipe (batch 100, SGD at 0.01, momentum 0.9, random flips) and at each `send(n)`
trains n steps more. It is written as its library's own documentation would have a good user do it.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

BATCH = 100
MEAN, STD = 120.0, 60.0

ENGINES = {
    "unskew": "ours",
    "plain PyTorch, in memory": "plain_torch",
    "Dataset + DataLoader, Pillow": "coursework_way",
    "Keras 3 on TensorFlow": "keras_tensorflow",
    "Keras 3 on JAX": "keras_jax",
    "Keras 3 on PyTorch": "keras_torch",
    "skorch": "with_skorch",
}
"""Module of this package by the engine's name; ours multiplies in bfloat16 where the processor
has it, the others as they come, in float32."""

Steps = Generator[None, int, None]


def start(engine: str, model: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Steps:
    """An engine, ready for its first `send(n)`.

    Raises
    ------
    ImportError: its library is not installed.
    """
    steps: Steps = import_module(f"engines.{ENGINES[engine]}").steps(model, images, labels)
    next(steps)
    return steps
