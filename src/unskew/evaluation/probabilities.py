"""Logits as probabilities, without overflow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of probabilities, float64 (N, K), of logits of any size."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    normalised: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


def log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p_k / (1 - p_k)), float64 (N, K): ordered as the probabilities, and also where these are
    so near to 1 that all are 1. Rounded to 1e-9, lest rounding part what is equal.
    """
    rows, top = np.arange(len(logits)), logits.argmax(axis=1)
    shifted = logits - logits[rows, top][:, None]
    size = np.exp(shifted)
    rest = logits.astype(np.float64)
    rest[rows, top] = -np.inf
    with np.errstate(divide="ignore"):  # of one class nothing is left
        odds = shifted - np.log(size.sum(axis=1, keepdims=True) - size)
        odds[rows, top] = logits[rows, top] - logsumexp(rest, axis=1)
    rounded: NDArray[np.float64] = odds.round(9)
    return rounded


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, float64 (N, K); rows sum to 1."""
    probabilities: NDArray[np.float64] = np.exp(log_softmax(logits))
    return probabilities
