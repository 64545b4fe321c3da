"""The softmax that knows how many images each class has."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.remedies.base import ExampleLoss, Facts, Remedy
from unskew.remedies.losses.adjusted import adjusted_cross_entropy


@dataclass(frozen=True)
class BalancedSoftmax(Remedy):
    """Cross-entropy of a softmax weighted by the class sizes; the same loss as logit adjustment
    with τ = 1.

    -log( n_y·exp(z_y) / Σ_c n_c·exp(z_c) ) (Ren et al. 2020, theorem 1). A softmax does not
    change when the n_c are divided by their sum, so this is `logit_adjustment` at τ = 1 to the
    last digit; the two papers appeared in the same month.
    """

    name = "balanced_softmax"
    side_by_side = True
    corrects_prior = True

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        return adjusted_cross_entropy(facts, gamma=0.0, tau=1.0)
