"""Global and local mixture consistency (GLMC)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.remedies.base import Batch, Draw, ExampleLoss, Facts, Remedy
from unskew.remedies.counts import at_least_one, check_weights, weights_of_mean_one
from unskew.remedies.mixing.pairs import blend, box, paste, shares
from unskew.remedies.options import option
from unskew.remedies.sampling.class_draws import class_probability, draw_by_class


@dataclass(frozen=True)
class GLMC(Remedy):
    """Two views, one blended with a second draw and one with a patch of it, held to agree, while
    the loss goes over from plain to re-weighted.

    L = α·L_c + (1 - α)·L_cb + γ·L_sim with α = 1 - (t/T)², t the epoch (Du et al. 2023,
    section 3). A shuffled batch is mixed by one λ ~ Beta(a, a) with a batch drawn by class: MixUp
    of the first views, CutMix of the second, both labelled λ and 1 - λ. L_c is that of
    a classifier of its own, dropped after training; L_cb is cross-entropy of the network's
    classifier, in which a label of class k weighs w_k ∝ 1/n_k^k_l; each is summed over both
    mixtures. L_sim = -cos(p_1, sg z_2) - cos(p_2, sg z_1), with z a projection of the features, p
    a prediction made of z, and sg stopping the gradient. Both losses are plain cross-entropy.

    As in the public code the rectangle is cut off at the border and the labels keep λ, weights
    are not divided by their sum over the batch, and each mixture is normalised by statistics of
    its own. The rectangle is CutMix's, whose sides are rounded down; public code rounds up. Its
    ResNet-32, on which the published CIFAR figures stand, is four times as wide as the usual one.

    The defaults are the authors' for CIFAR-10 at ratio 10. At ratio 100 they have γ = 1, later 4,
    k_l = 1.2 and r = 0; for ImageNet-LT γ = 10.

    Attributes
    ----------
    alpha: a of λ's distribution; the public code's 1, whatever its option `beta` says.
    gamma: γ, weight of the consistency.
    label_power: k_l, power of the counts in the label's weight; 0 weighs all alike.
    sample_power: r, the second batch draws classes in proportion to n^(1 - r): 0 as they are,
        1 class-balanced.
    dimensions: of projection and prediction.
    """

    name = "glmc"
    corrects_prior = True
    views = 1
    mixes = True

    alpha: float = option(1.0, above=0)
    gamma: float = option(2.0, at_least=0)
    label_power: float = option(1.0, at_least=0)
    sample_power: float = option(0.2, at_least=0, at_most=1)
    dimensions: int = option(128, at_least=1)

    def check(self, facts: Facts) -> None:
        if facts.epochs < 2:
            raise UserError(
                f"remedy {self.name!r} trains the network's classifier from the second epoch on, "
                f"and epochs is {facts.epochs}: choose 2 or more"
            )
        check_weights(self.name, lambda: self._label_weights(facts))

    def _label_weights(self, facts: Facts) -> Tensor:
        """Of the labels' classes, float32 (K,)."""
        return weights_of_mean_one(at_least_one(facts) ** -self.label_power, facts)

    def auxiliary(self, facts: Facts) -> nn.Module:
        return nn.ModuleDict(
            {
                "classifier": nn.Linear(facts.num_features, facts.num_classes),
                "projection": nn.Linear(facts.num_features, self.dimensions),
                "prediction": nn.Linear(self.dimensions, self.dimensions),
            }
        )

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        indices = rng.permutation(len(facts.labels)).astype(np.int64)
        probability = class_probability(facts.counts, 1 - self.sample_power)
        return Draw(indices, partners=draw_by_class(facts, probability, rng))

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        """`images` become the blended, `views[0]` the patched ones."""
        if batch.partners is None:
            return batch
        lam = float(rng.beta(self.alpha, self.alpha))
        height, width = batch.images.shape[2:]
        rows, columns, _ = box(height, width, lam, rng)
        return batch.with_(
            images=blend(batch.images, batch.partners.images, lam),
            views=(paste(batch.views[0], batch.partners.views[0], rows, columns),),
            other_labels=batch.partners.labels,
            share=shares(batch, lam),
        )

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss | None:
        """Cross-entropy; said here so that no other loss, nor smoothing, joins in half of it."""
        return None

    def objective(
        self,
        network: nn.Module,
        auxiliary: nn.Module | None,
        batch: Batch,
        criterion: Callable[[Tensor, Batch], Tensor],
        facts: Facts,
        epoch: int,
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(auxiliary, nn.ModuleDict)
        count = len(batch.labels)
        mixtures = (batch.images, *batch.views)
        features = torch.cat([network.features(images) for images in mixtures])  # type: ignore[operator]
        plain = auxiliary["classifier"](features)
        logits = network.classifier(features)  # type: ignore[operator]
        weights = facts.constant(self, lambda: self._label_weights(facts)).beside(logits)
        balanced = criterion(plain[:count], batch) + criterion(plain[count:], batch)
        rebalanced = _weighted(logits[:count], batch, weights) + _weighted(
            logits[count:], batch, weights
        )
        projected = auxiliary["projection"](features)
        predicted = auxiliary["prediction"](projected)
        consistency = _apart(predicted[:count], projected[count:]) + _apart(
            predicted[count:], projected[:count]
        )
        alpha = 1 - (epoch / facts.epochs) ** 2
        total = alpha * balanced + (1 - alpha) * rebalanced + self.gamma * consistency
        return total, logits[:count]


def _weighted(logits: Tensor, batch: Batch, weights: Tensor) -> Tensor:
    """Mean over the batch of -Σ_k w_k ỹ_k log p_k, with ỹ the mixed label."""
    assert batch.other_labels is not None
    assert batch.share is not None
    losses = [
        weights[labels] * F.cross_entropy(logits.float(), labels, reduction="none")
        for labels in (batch.labels, batch.other_labels)
    ]
    return (batch.share * losses[0] + (1 - batch.share) * losses[1]).mean()


def _apart(predicted: Tensor, target: Tensor) -> Tensor:
    """Negative cosine similarity, the target held fixed (Chen & He 2021, equation 1)."""
    return -F.cosine_similarity(predicted.float(), target.detach().float(), dim=1).mean()
