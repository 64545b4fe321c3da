"""Remix: mixup whose labels lean towards the rarer class."""

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
class Remix(DrawnTransform):
    """Mixup in which a mixed image with enough of a much rarer class counts wholly for it.

    Images mix by λ ~ Beta(α, α) as in mixup, labels by λ_y (Chou et al. 2020):
    λ_y = 0 if n_i/n_j ≥ κ and λ < τ; λ_y = 1 if n_i/n_j ≤ 1/κ and 1 - λ < τ; else λ_y = λ, where
    n_i, n_j are the training images of the two classes.

    Attributes
    ----------
    alpha: α of mixup.
    kappa: κ, by how much larger a class must be to give its label away.
    tau: τ, its share of the image below which it does; 0 is mixup.
    """

    name = "remix"
    mixes = True
    draws = 3

    alpha: float = option(1.0, above=0)
    kappa: float = option(3.0, above=1)
    tau: float = option(0.5, at_least=0, at_most=1)

    def numbers(
        self, shape: Sequence[int], device: torch.device, rng: np.random.Generator
    ) -> Numbers:
        """λ, float32 (B,), whether λ < τ and 1 - λ < τ, bool (B, 2), and how many rows on the
        partner is, int64 (B,).
        """
        lam = float(rng.beta(self.alpha, self.alpha))
        little = np.tile([lam < self.tau, 1 - lam < self.tau], (shape[0], 1))
        lams = torch.full((shape[0],), lam)
        return lams, torch.from_numpy(little), partners(shape[0], rng)

    def change(self, batch: Batch, facts: Facts, *numbers: Tensor) -> Batch:
        lam, little, away = numbers
        other = rows_of(away)
        of_classes = facts.constant("remix: counts", lambda: torch.from_numpy(facts.counts))
        counts = of_classes.beside(batch.labels)
        own, others = counts[batch.labels], counts[batch.labels[other]]
        # Products instead of ratios: exact in integers but for κ.
        give = (own >= self.kappa * others) & little[:, 0]
        take = (self.kappa * own <= others) & little[:, 1]
        return batch.with_(
            images=blend(batch.images, batch.images[other], lam),
            other_labels=batch.labels[other],
            share=lam.masked_fill(give, 0.0).masked_fill(take, 1.0),
        )
