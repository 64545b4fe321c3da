"""How well scores rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


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
            ranks = rankdata(scores[:, k])
            wins = ranks[positive].sum() - inside * (inside + 1) / 2
            areas[k] = wins / (inside * outside)
    return areas
