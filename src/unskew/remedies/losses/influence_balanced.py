"""Examples weighted by the inverse of their influence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from unskew.remedies.base import Batch, ExampleLoss, Facts, Remedy
from unskew.remedies.counts import at_least_one, first_epoch, weights_of_mean_one
from unskew.remedies.options import option

RATE = 0.01
"""Of the second phase over that of the first, in the authors' code."""
EPSILON = 1e-3
"""Keeps an example that is classified perfectly from dividing by 0; the authors' value."""


@dataclass(frozen=True)
class InfluenceBalanced(Remedy):
    """Plain training first, then each loss divided by the example's influence on the classifier.

    α·λ_y·CE / (‖p - y‖₁·‖h‖₁ + ε) with p the softmax, y the label as a vector, h the features and
    λ_k ∝ 1 / n_k of mean 1 over the classes; the batch's plain mean (Park et al. 2021,
    section 3; ε and the scale of λ from the authors' code). As there, the divisor is part of what
    is minimised and is differentiated through.

    Attributes
    ----------
    alpha: α. The authors' code has 1000 and cuts the learning rate to a hundredth when the
        second phase begins. For SGD without weight decay that is α = 10 at the rate as it is and a
        hundredth of the momentum that the first phase has left, which would else outweigh the new
        gradients. A weight decay is cut in their code and not here.
    start: share of the run's epochs before the second phase, rounded down to whole epochs.
    """

    name = "influence_balanced"
    corrects_prior = True

    alpha: float = option(10.0, above=0)
    start: float = option(0.5, at_least=0, below=1)

    def begins(self, epochs: int) -> int:
        return first_epoch(self.start, epochs)

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss | None:
        """Cross-entropy until the objective sets in; said here so that no other loss joins in."""
        return None

    def carried_over(self, facts: Facts, epoch: int) -> float:
        return RATE if 0 < epoch == self.begins(facts.epochs) else 1.0

    def objective(
        self,
        network: nn.Module,
        auxiliary: nn.Module | None,
        batch: Batch,
        criterion: Callable[[Tensor, Batch], Tensor],
        facts: Facts,
        epoch: int,
    ) -> tuple[Tensor, Tensor] | None:
        if epoch < self.begins(facts.epochs):
            return None
        inner = cast(Any, network)
        features = inner.features(batch.images)
        logits = inner.classifier(features)
        return self.influence_balanced(logits, features, _targets(batch, facts), facts), logits

    def influence_balanced(
        self, logits: Tensor, features: Tensor, targets: Tensor, facts: Facts
    ) -> Tensor:
        """The loss, scalar, of logits (B, K), features (B, D) and targets (B, K), rows of sum 1."""
        logits, features = _at_least_single(logits), _at_least_single(features)
        targets = targets.to(logits)
        class_weights = facts.constant(
            self, lambda: weights_of_mean_one(1 / at_least_one(facts), facts)
        ).like(logits)
        cross_entropy = -(targets * F.log_softmax(logits, dim=1)).sum(dim=1)
        miss = (F.softmax(logits, dim=1) - targets).abs().sum(dim=1)
        influence = miss * features.abs().sum(dim=1)
        # No matrix product: autocast would round the weights to bfloat16.
        weights = self.alpha * (targets * class_weights).sum(dim=1)
        return (weights * cross_entropy / (influence + EPSILON)).mean()


def _targets(batch: Batch, facts: Facts) -> Tensor:
    """Each example's labels as a distribution, float32 (B, K); mixed ones have two."""
    targets = F.one_hot(batch.labels, facts.num_classes).float()
    if batch.other_labels is None or batch.share is None:
        return targets
    others = F.one_hot(batch.other_labels, facts.num_classes).float()
    return others.lerp(targets, batch.share[:, None].float())


def _at_least_single(values: Tensor) -> Tensor:
    """Half-precision values as float32, others as they are."""
    return values.float() if values.element_size() < 4 else values
