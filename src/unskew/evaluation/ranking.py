"""How well scores rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def auroc_one_vs_rest(
    scores: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Area under the ROC curve of each class against the rest, float64 (K,).

    The share of (image of the class, other image) pairs that the class's score orders right, ties
    counting half (Mann-Whitney's U). NaN where one side has no images.

    Parameters
    ----------
    scores: float64 (N, K), probabilities or what is ordered like them: see `log_odds`.
    labels: int64 (N,).
    """
    classes = scores.shape[1]
    areas = np.full(classes, np.nan)
    for k in range(classes):
        positive = labels == k
        inside, outside = int(positive.sum()), int((~positive).sum())
        if inside and outside:
            ranks = _average_ranks(scores[:, k])
            wins = ranks[positive].sum() - inside * (inside + 1) / 2
            areas[k] = wins / (inside * outside)
    return areas


def _average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 on, those that tie sharing their mean, float64 (N,).

    `scipy.stats` has it too, and would take each process a second to import.
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
