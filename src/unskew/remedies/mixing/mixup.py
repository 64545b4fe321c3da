"""Mixup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unskew.remedies.base import Batch, Facts
from unskew.remedies.drawn import DrawnTransform, Numbers
from unskew.remedies.mixing.pairs import blend, partners, rows_of
from unskew.remedies.options import option


@dataclass(frozen=True)
class Mixup(DrawnTransform):
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
    draws = 2

    alpha: float = option(1.0, above=0)

    def numbers(
        self, shape: Sequence[int], device: torch.device, rng: np.random.Generator
    ) -> Numbers:
        """λ, float32 (B,), and how many rows on the partner is, int64 (B,)."""
        lam = torch.full((shape[0],), float(rng.beta(self.alpha, self.alpha)))
        return lam, partners(shape[0], rng)

    def change(self, batch: Batch, facts: Facts, *numbers: Tensor) -> Batch:
        lam, away = numbers
        other = rows_of(away)
        return batch.with_(
            images=blend(batch.images, batch.images[other], lam),
            other_labels=batch.labels[other],
            share=lam,
        )
