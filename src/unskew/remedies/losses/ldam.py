"""Margins that are wider for rare classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.data.transfer import Constant
from unskew.remedies.base import ExampleLoss, Facts, Remedy
from unskew.remedies.classifiers import NormalisedClassifier
from unskew.remedies.counts import at_least_one
from unskew.remedies.options import option


@dataclass(frozen=True)
class LDAM(Remedy):
    """Cosine logits, of which each label must win by a margin that is wider for rare classes.

    -log softmax(s·(z - Δ_y·e_y))_y with Δ_j = C / n_j^{1/4} and C such that the rarest class has
    the margin `max_m` (Cao et al. 2019, section 3.2; values from their code). The classifier is
    replaced by one with normalised features and weights, whose logits contain the s already;
    so the loss subtracts s·Δ_y. The paper's best is together with `drw`.

    Attributes
    ----------
    max_m: the widest margin, in cosines.
    s: scale of the cosines.
    """

    name = "ldam"
    cosines = True
    side_by_side = True

    max_m: float = option(0.5, at_least=0)
    s: float = option(30.0, above=0)

    def prepare(self, network: nn.Module, facts: Facts) -> None:
        network.classifier = NormalisedClassifier(facts.num_features, facts.num_classes, self.s)

    def margins(self, facts: Facts) -> Tensor:
        """Δ, float64 (K,); 0 for classes without images, which no label names."""
        margins = np.where(facts.counts > 0, at_least_one(facts) ** -0.25, 0.0)
        return torch.from_numpy(margins * (self.max_m / margins.max()))

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        margins = Constant(self.s * self.margins(facts))

        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            own = F.one_hot(labels, logits.shape[1]).to(logits)
            return F.cross_entropy(logits - own * margins.like(logits), labels, reduction="none")

        return loss
