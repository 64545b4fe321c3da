"""Mixup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.remedies.base import Batch, Facts, Remedy
from unskew.remedies.mixing.pairs import blend, partners, shares
from unskew.remedies.options import option


@dataclass(frozen=True)
class Mixup(Remedy):
    """Images and their labels averaged in pairs.

    x̃ = λ·x_i + (1 - λ)·x_j, ỹ = λ·y_i + (1 - λ)·y_j with λ ~ Beta(α, α) (Zhang et al. 2018). As in
    its public code a batch shares one λ and is mixed with a permutation of itself. Not a cure for
    imbalance in itself: pairs are as skewed as the data.

    Attributes
    ----------
    alpha: α; 1, as on CIFAR in the paper, makes λ uniform, small values mix little.
    """

    name = "mixup"
    mixes = True

    alpha: float = option(1.0, above=0)

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        lam = float(rng.beta(self.alpha, self.alpha))
        other = partners(batch, rng)
        return batch.with_(
            images=blend(batch.images, batch.images[other], lam),
            other_labels=batch.labels[other],
            share=shares(batch, lam),
        )
