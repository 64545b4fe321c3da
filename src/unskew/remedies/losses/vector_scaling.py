"""Logits scaled and shifted by class while training."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.remedies.base import ExampleLoss, Facts, Remedy
from unskew.remedies.losses.adjusted import adjusted_cross_entropy
from unskew.remedies.options import option


@dataclass(frozen=True)
class VectorScaling(Remedy):
    """Cross-entropy of logits that are scaled down and shifted for rare classes (VS loss).

    -log softmax(Δ·z + ι)_y with Δ_c = (n_c / n_max)^γ and ι_c = τ·log(n_c / N) (Kini et al. 2021,
    with ω = 1). Logit adjustment at γ = 0, class-
    dependent temperatures at τ = 0. The scales act when the training images are all fitted and
    the shifts no longer do.

    Attributes
    ----------
    gamma: γ; the default and that of τ are the authors' choice for long-tailed CIFAR-10 at
        ratio 100. Their code without options runs 0.3 and 1.
    tau: τ.
    """

    name = "vector_scaling"
    side_by_side = True
    corrects_prior = True

    gamma: float = option(0.15, at_least=0)
    tau: float = option(1.25, at_least=0)

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        return adjusted_cross_entropy(facts, self.gamma, self.tau)
