"""Keras 3 on its tensorflow backend."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engines import Steps


def steps(model: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Steps:
    importlib.import_module("tensorflow")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # read when Keras is first imported
    from engines import keras_model

    return keras_model.steps(model, images, labels)
