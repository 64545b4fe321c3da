"""Balanced contrastive learning (BCL)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.data.transfer import Constant
from unskew.remedies.base import Batch, ExampleLoss, Facts, Remedy
from unskew.remedies.contrastive.colour import jitter
from unskew.remedies.counts import at_least_one
from unskew.remedies.options import option


@dataclass(frozen=True)
class BalancedContrastive(Remedy):
    """Logit-compensated cross-entropy beside a contrastive loss in which classes count alike.

    L = λ·L_LC + μ·L_BCL (Zhu et al. 2022). L_LC is cross-entropy of z_k + log π_k on one
    view, L_BCL (see `balanced_contrastive_loss`) compares two further views and one prototype a
    class, which a second projection head makes of the classifier's weights. The heads are dropped
    after training. Costs three images an image.

    The defaults are meant for CIFAR; the public code's are for ImageNet (λ = 1, μ = 0.35,
    τ = 0.07). The further views there are cropped to a random size and shift in hue as well;
    here they have the recipe's augmentation and what `jitter` and `grey` say. The classifier
    stays linear; the public code's is a cosine classifier on ImageNet.

    Attributes
    ----------
    lam: λ, weight of the classification loss.
    mu: μ, weight of the contrastive loss.
    temperature: τ of the contrastive loss.
    dimensions: of the space in which views are compared.
    jitter: strength of the further views' change of colour.
    grey: share of the further views that lose their colour.
    """

    name = "bcl"
    corrects_prior = True
    views = 2

    lam: float = option(2.0, at_least=0)
    mu: float = option(0.6, at_least=0)
    temperature: float = option(0.1, above=0)
    dimensions: int = option(128, at_least=1)
    jitter: float = option(0.4, at_least=0, below=1)
    grey: float = option(0.2, at_least=0, at_most=1)

    def auxiliary(self, facts: Facts) -> nn.Module:
        return nn.ModuleDict(
            {part: _head(facts.num_features, self.dimensions) for part in ("views", "prototypes")}
        )

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        counts = at_least_one(facts)
        log_prior = Constant(torch.from_numpy(np.log(counts / counts.sum())).float())

        def compensated(logits: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(logits + log_prior.like(logits), labels, reduction="none")

        return compensated

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        return batch.with_(
            views=tuple(jitter(view, self.jitter, self.grey, rng) for view in batch.views)
        )

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
        # One pass for all views, so that BatchNorm sees them together, as in the public code.
        features = network.features(torch.cat([batch.images, *batch.views]))  # type: ignore[operator]
        logits = network.classifier(features[:count])  # type: ignore[operator]
        views = auxiliary["views"](features[count:])
        prototypes = auxiliary["prototypes"](network.classifier.weight)  # type: ignore[union-attr]
        contrast = balanced_contrastive_loss(
            views, batch.labels.repeat(2), prototypes, self.temperature
        )
        return self.lam * criterion(logits, batch) + self.mu * contrast, logits


def balanced_contrastive_loss(
    views: Tensor, labels: Tensor, prototypes: Tensor, temperature: float
) -> Tensor:
    """Supervised contrastive loss with class averaging and class complement, a scalar.

    For each view i of class y, with B_j all other views of class j and its prototype,

        L_i = -1/|B_y| Σ_{p ∈ B_y} log( exp(z_i·z_p/τ) / Σ_j 1/|B_j| Σ_{k ∈ B_j} exp(z_i·z_k/τ) )

    (Zhu et al. 2022, section 4), and the mean over all views. The paper divides by |B_y| - 1
    where its B_y contains i itself: the same. Every class is in every denominator once, through
    its prototype at least, also one without images.

    Parameters
    ----------
    views: float (V, D), not normalised; labels: int64 (V,).
    prototypes: float (K, D), not normalised.
    temperature: τ.
    """
    with torch.autocast(views.device.type, enabled=False):
        z = torch.cat([views, prototypes])
        z = F.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=1)
        count, classes = len(views), len(prototypes)
        members = torch.cat([labels, torch.arange(classes, device=labels.device)])
        similarity = z[:count] @ z.T / temperature
        itself = torch.eye(count, len(z), dtype=torch.bool, device=z.device)
        positive = (labels[:, None] == members) & ~itself
        # Not bincount, which waits for the device.
        sizes = F.one_hot(members, classes).sum(dim=0)[members].to(z.dtype)
        # The view itself is not among its own class's members.
        weights = torch.where(labels[:, None] == members, sizes - 1, sizes).log()
        averaged = (similarity - weights).masked_fill(itself, -torch.inf)
        log_probability = similarity - averaged.logsumexp(dim=1, keepdim=True)
        mean = log_probability.masked_fill(~positive, 0.0).sum(dim=1) / positive.sum(dim=1)
        return -mean.mean()


def _head(incoming: int, outgoing: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(incoming, incoming),
        nn.BatchNorm1d(incoming),
        nn.ReLU(inplace=True),
        nn.Linear(incoming, outgoing),
    )
