"""Rare classes spared from being pushed down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.data.transfer import moved
from unskew.remedies.base import Batch, ExampleLoss, Facts, Remedy
from unskew.remedies.options import option


@dataclass(frozen=True)
class SoftmaxEqualisation(Remedy):
    """Images of other classes mostly leave the logits of rare classes alone (SEQL).

    -log p̃_y with p̃_j = exp(z_j) / Σ_k w̃_k·exp(z_k) and w̃_k = 1 - β·T_λ(f_k)·(1 - y_k), where f_k
    is the class's share of the images, T_λ(f) is 1 for f < λ and else 0, and β is 1 with
    probability γ and else 0 (Tan et al. 2020, softmax equalization loss). β is drawn
    for each image and class, as in public code; the paper leaves that open. Public code forms
    exp(z) itself and overflows for logits beyond 88; here a class with w̃_k = 0 is masked.

    Attributes
    ----------
    gamma: γ, how often a rare class is spared.
    threshold: λ in units of 1 / K, so that one number serves any number of classes; with 100
        classes 0.3 is the λ = 3e-3 of the paper's long-tailed CIFAR-100.
    """

    name = "seql"
    corrects_prior = True

    gamma: float = option(0.95, at_least=0, at_most=1)
    threshold: float = option(0.3, above=0)

    def rare(self, facts: Facts) -> Tensor:
        """T_λ(f_k), bool (K,). A class without images is never right, so nothing spares it."""
        rare = facts.prior < self.threshold / facts.num_classes
        return torch.from_numpy(rare & (facts.counts > 0))

    def idle(self, facts: Facts) -> str:
        if self.rare(facts).any():
            return ""
        least = facts.prior[facts.counts > 0].min() * facts.num_classes
        return (
            f"remedy {self.name!r} has spared no class: none has a share of the images below "
            f"threshold = {self.threshold:g} times an even one, the rarest has {least:.3g}"
        )

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        """Cross-entropy, said here so that no other loss joins in: it would meet -inf."""
        return lambda logits, labels: F.cross_entropy(logits, labels, reduction="none")

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        drawn = rng.random((len(batch.labels), facts.num_classes)) < self.gamma
        return batch.with_(noise=moved(torch.from_numpy(drawn), batch.labels))

    def objective(
        self,
        network: nn.Module,
        auxiliary: nn.Module | None,
        batch: Batch,
        criterion: Callable[[Tensor, Batch], Tensor],
        facts: Facts,
        epoch: int,
    ) -> tuple[Tensor, Tensor]:
        logits = network(batch.images)
        assert batch.noise is not None
        spared = batch.noise & facts.constant(self, lambda: self.rare(facts)).beside(logits)
        spared = spared.scatter(1, batch.labels[:, None], False)
        if batch.other_labels is not None:
            spared = spared.scatter(1, batch.other_labels[:, None], False)
        return criterion(logits.float().masked_fill(spared, -torch.inf), batch), logits
