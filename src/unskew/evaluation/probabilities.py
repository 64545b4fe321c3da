"""Logits as probabilities, without overflow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of probabilities, float64 (N, K), of logits of any size."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    normalised: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, float64 (N, K); rows sum to 1."""
    probabilities: NDArray[np.float64] = np.exp(log_softmax(logits))
    return probabilities
