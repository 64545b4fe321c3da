"""CutMix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.remedies.base import Batch, Facts, Remedy
from unskew.remedies.mixing.pairs import box, partners, paste, shares
from unskew.remedies.options import option


@dataclass(frozen=True)
class CutMix(Remedy):
    """A rectangle of another image pasted in, labels shared by area.

    x̃ = M⊙x_i + (1 - M)⊙x_j, ỹ = λ·y_i + (1 - λ)·y_j, λ ~ Beta(α, α) (Yun et al. 2019,
    equations 1 and 2); after the rectangle is cut off at the border, λ is set to the share of
    pixels that x_i keeps, as in the public code. One λ and one rectangle a batch.

    Attributes
    ----------
    alpha: α; 1 makes λ uniform.
    probability: of mixing a batch at all; the public code's 0.5 on CIFAR.
    """

    name = "cutmix"
    mixes = True

    alpha: float = option(1.0, above=0)
    probability: float = option(0.5, above=0, at_most=1)

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        if rng.random() >= self.probability:
            return batch
        height, width = batch.images.shape[2:]
        lam = float(rng.beta(self.alpha, self.alpha))
        rows, columns, kept = box(height, width, lam, rng)
        other = partners(batch, rng)
        return batch.with_(
            images=paste(batch.images, batch.images[other], rows, columns),
            other_labels=batch.labels[other],
            share=shares(batch, kept),
        )
