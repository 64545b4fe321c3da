"""The lengths of the classifier's weights, read from a run's folder without building a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

WEIGHT = "classifier.weight"
"""Float (K, D) of every network whose classifier is linear, whatever it is made of otherwise."""


def classifier_norms(folder: Path, classes: int) -> NDArray[np.float64] | None:
    """L2 norm of each class's row of the classifier's weights, float64 (K,).

    Only this tensor is read. None where there are no weights, as for a run that diverged, or a
    remedy's classifier has no row for each class.

    Parameters
    ----------
    folder: of a run.
    classes: K.
    """
    try:
        with safe_open(folder / "model.safetensors", framework="numpy") as weights:
            weight = weights.get_tensor(WEIGHT)
    except (OSError, SafetensorError, TypeError):  # TypeError: a format that NumPy has not
        return None
    if weight.ndim != 2 or len(weight) != classes:
        return None
    norms: NDArray[np.float64] = np.linalg.norm(weight.astype(np.float64), axis=1)
    return norms
