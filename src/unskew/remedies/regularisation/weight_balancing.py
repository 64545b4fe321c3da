"""Two-stage weight balancing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unskew.remedies.base import Backward, Facts, Remedy, Stage
from unskew.remedies.counts import at_least_one, weights_of_mean_one
from unskew.remedies.decoupled.two_stages import two_stages
from unskew.remedies.options import option
from unskew.remedies.regularisation.norms import class_norms, shorten


@dataclass(frozen=True)
class WeightBalancing(Remedy):
    """Tuned weight decay first, then the classifier alone with MaxNorm and a class-balanced loss.

    Alshammari et al. 2022, section 4: stage 1 trains the whole network with a strong, tuned
    weight decay λ; stage 2 goes on with the classifier, features frozen, under MaxNorm, its own
    weight decay and the class-balanced loss of Cui et al. 2019. As in the public code,
    δ = min_k ‖θ_k‖ + threshold · (max_k ‖θ_k‖ - min_k ‖θ_k‖) over the norms that stage 1 ends
    with, and the bias is not shortened.

    Public code calls `softmax` a class-balanced loss that is a binary cross-entropy of the
    softmax's outputs; here it is the papers' weighted softmax cross-entropy. Theirs is a mean over
    images and classes that is not divided by the weights, so that the same λ acts more strongly
    there, K / (mean weight) times: tune it. They shorten once an epoch and let BatchNorm's
    statistics move; here it is after each step, and what is frozen is frozen. The paper adds 10
    epochs to 200; here both stages share the run's epochs, so that every remedy costs the same.

    λ of stage 1 is the recipe's weight decay, to be tuned like any arm's; the paper's is 5e-3 on
    CIFAR-100-LT at a learning rate of 0.01.

    Attributes
    ----------
    classifier_decay: λ of stage 2, of an L2 penalty as in the paper; AdamW decouples it from the
        gradient, as it does every λ.
    threshold: where δ lies between the shortest class (0) and the longest (1).
    beta: β of the effective number of images, (1 - β^n)/(1 - β).
    share: of the run's epochs for stage 2, one epoch at least.
    """

    name = "weight_balancing"
    corrects_prior = True
    acts_on_lengths = True

    classifier_decay: float = option(0.1, at_least=0)
    threshold: float = option(0.1, at_least=0, at_most=1)
    beta: float = option(0.9999, at_least=0, below=1)
    share: float = option(0.05, above=0, below=1)

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        return two_stages(
            self.name,
            epochs,
            self.share,
            second="balancing",
            remedy=_Balancing(self.threshold, self.beta),
            weight_decay=self.classifier_decay,
        )

    def prepare(self, network: nn.Module, facts: Facts) -> None:
        # δ is fixed when stage 2 begins; as a buffer it is saved with the weights. 0: not yet.
        network.classifier.register_buffer("norm_bound", torch.zeros(()))  # type: ignore[union-attr]


@dataclass(frozen=True)
class _Balancing(Remedy):
    """Stage 2, on a classifier that `WeightBalancing.prepare` has seen."""

    threshold: float = 0.1
    beta: float = 0.9999

    def class_weights(self, facts: Facts, epoch: int) -> Tensor:
        """(1 - β)/(1 - β^n_k) (Cui et al. 2019, section 4)."""
        effective = 1 - self.beta ** at_least_one(facts)
        return weights_of_mean_one((1 - self.beta) / effective, facts)

    def update(
        self, backward: Backward, optimizer: torch.optim.Optimizer, network: nn.Module, facts: Facts
    ) -> Tensor:
        bound: Tensor = network.classifier.norm_bound  # type: ignore[union-attr,assignment]
        # Before the first step the norms are still those that stage 1 has left. The device decides
        # whether this is the first, so that no step waits for it.
        norms = class_norms(network)
        of_stage_1 = norms.min() + self.threshold * (norms.max() - norms.min())
        bound.copy_(torch.where(bound > 0, bound, of_stage_1))
        loss = super().update(backward, optimizer, network, facts)
        shorten(network, bound)
        return loss
