"""The class prior added to the logits while training."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.remedies.base import ExampleLoss, Facts, Remedy
from unskew.remedies.losses.adjusted import adjusted_cross_entropy
from unskew.remedies.options import option


@dataclass(frozen=True)
class LogitAdjustment(Remedy):
    """Cross-entropy of logits to which the log of the class prior is added; with τ = 1 the same
    loss as balanced softmax.

    -log softmax(z + τ·log π)_y, with π_c = n_c / N (Menon et al. 2021, equation 10). The network
    learns what is left when the prior is known, and predicts without it.

    Attributes
    ----------
    tau: τ; 0 is cross-entropy, 1 is consistent for balanced accuracy.
    """

    name = "logit_adjustment"
    side_by_side = True
    corrects_prior = True

    tau: float = option(1.0, at_least=0)

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        return adjusted_cross_entropy(facts, gamma=0.0, tau=self.tau)
