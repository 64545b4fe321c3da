"""Whether probabilities can be believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.evaluation.probabilities import log_softmax

BINS = 15
"""Of equal width over [0, 1]; Guo et al. 2017, section 5."""

Probabilities = NDArray[np.float64]
Labels = NDArray[np.int64]


def negative_log_likelihood(logits: NDArray[np.float64], labels: Labels) -> float:
    """Mean of -log p(true class), in nats, from logits float64 (N, K)."""
    return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())


def brier(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over images of the squared distance to the one-hot label (Brier 1950), in [0, 2]."""
    distance = probabilities.copy()
    distance[np.arange(len(labels)), labels] -= 1
    return float((distance**2).sum(axis=1).mean())


def expected_calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Gap between confidence and accuracy of the top prediction (Guo et al. 2017, equation 3)."""
    right = probabilities.argmax(axis=1) == labels
    return binned_gap(probabilities.max(axis=1), right)


def classwise_calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Mean over classes of the gap of each class's probability (Kull et al. 2019, section 2).

    Over all K: a class without images has the gap of what it is given, which should be nothing.
    """
    classes = probabilities.shape[1]
    return float(np.mean([binned_gap(probabilities[:, k], labels == k) for k in range(classes)]))


def binned_gap(confidence: NDArray[np.float64], happened: NDArray[np.bool_]) -> float:
    """Sum over bins of |sum of outcomes - sum of confidences| over N.

    Parameters
    ----------
    confidence: float64 (N,), in [0, 1]. Bins are open to the left: (0, 1/15], ...
    happened: bool (N,).
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, weights=happened - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))
