"""Drawing an epoch's images class by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.remedies.base import Facts


def class_probability(counts: NDArray[np.int64], q: float) -> NDArray[np.float64]:
    """p_j = n_j^q / Σ_i n_i^q (Kang et al. 2020, equation 1), float64 (K,); sums to 1.

    q = 1 draws images alike, q = 0 classes alike, q = 1/2 is square-root sampling. Classes
    without images have probability 0 at every q.
    """
    powers = np.zeros(len(counts))
    present = counts > 0
    powers[present] = counts[present].astype(np.float64) ** q
    return powers / powers.sum()


def draw_by_class(
    facts: Facts, probability: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """As many images as the training set has, each position's class drawn from `probability`.

    Within a class images come in shuffled rounds: none is shown twice before all of its class
    are shown once, as in the public code's class-aware sampler; the paper only says uniformly.

    Returns
    -------
    int64 (N,), positions in the training set.
    """
    classes = rng.choice(facts.num_classes, size=len(facts.labels), p=probability)
    indices = np.empty(len(classes), dtype=np.int64)
    for k in np.unique(classes):
        members = np.flatnonzero(facts.labels == k)
        places = np.flatnonzero(classes == k)
        rounds = [rng.permutation(members) for _ in range(-(-len(places) // len(members)))]
        indices[places] = np.concatenate(rounds)[: len(places)]
    return indices
