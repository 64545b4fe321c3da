"""CutMix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from unskew.remedies.base import Batch, Facts
from unskew.remedies.drawn import DrawnTransform, Numbers
from unskew.remedies.mixing.pairs import box, box_numbers, partners, paste_boxes, rows_of
from unskew.remedies.options import option


@dataclass(frozen=True)
class CutMix(DrawnTransform):
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
    draws = 3

    alpha: float = option(1.0, above=0)
    probability: float = option(0.5, above=0, at_most=1)

    def numbers(
        self, shape: Sequence[int], device: torch.device, rng: np.random.Generator
    ) -> Numbers | None:
        """The rectangle, int64 (B, 4), the share of pixels left, float32 (B,), and how many rows on
        the partner is, int64 (B,).
        """
        if rng.random() >= self.probability:
            return None
        count, _, height, width = shape
        lam = float(rng.beta(self.alpha, self.alpha))
        rows, columns, kept = box(height, width, lam, rng)
        return (
            box_numbers(count, rows, columns),
            torch.full((count,), kept),
            partners(count, rng),
        )

    def nothing(self, shape: Sequence[int]) -> Numbers:
        nowhere = slice(0, 0)
        return (
            box_numbers(shape[0], nowhere, nowhere),
            torch.ones(shape[0]),
            torch.zeros(shape[0], dtype=torch.int64),
        )

    def change(self, batch: Batch, facts: Facts, *numbers: Tensor) -> Batch:
        boxes, kept, away = numbers
        other = rows_of(away)
        return batch.with_(
            images=paste_boxes(batch.images, batch.images[other], boxes),
            other_labels=batch.labels[other],
            share=kept,
        )
