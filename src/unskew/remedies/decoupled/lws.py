"""Learnable weight scaling (LWS)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.remedies.base import Batch, Draw, Facts, Remedy, Stage
from unskew.remedies.decoupled.two_stages import two_stages
from unskew.remedies.options import option
from unskew.remedies.sampling.class_balanced import ClassBalancedSampling


@dataclass(frozen=True)
class LearnableWeightScaling(Remedy):
    """One factor a class on the trained classifier's weights, learnt on class-balanced samples.

    w̃_k = f_k · w_k (Kang et al. 2020, section 4.1), with f learnt from 1 while features, weights
    and bias stay as they are; public code multiplies the bias as well. Stage 1 trains everything
    else and leaves f at 1.

    Attributes
    ----------
    share: of the run's epochs for the factors, one epoch at least.
    """

    name = "lws"
    corrects_prior = True
    scales_lengths = True

    share: float = option(0.1, above=0, below=1)

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        return two_stages(self.name, epochs, self.share, second="scales", remedy=_Scaling())

    def prepare(self, network: nn.Module, facts: Facts) -> None:
        network.classifier = ScaledLinear(network.classifier)  # type: ignore[arg-type]


class ScaledLinear(nn.Module):
    """A linear classifier whose classes are scaled: f_k · (w_k·h) + b_k.

    Parameters
    ----------
    linear: the classifier that is taken over, weights and bias as they are.

    Shapes
    ------
    features float (B, D) -> logits (B, K).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = linear.weight
        self.bias = linear.bias
        self.scale = nn.Parameter(torch.ones_like(linear.weight[:, 0]))

    def forward(self, features: Tensor) -> Tensor:
        """Logits through which the weights learn and the scales do not."""
        return F.linear(features, self.weight * self.scale.detach()[:, None], self.bias)

    def through_scales(self, features: Tensor) -> Tensor:
        """The same logits, through which the scales learn and nothing else does."""
        bias = None if self.bias is None else self.bias.detach()
        return F.linear(features.detach(), self.weight.detach() * self.scale[:, None], bias)


@dataclass(frozen=True)
class _Scaling(Remedy):
    """Stage 2. Weights without a gradient are not touched by the optimiser, decay included."""

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        return ClassBalancedSampling().draw(facts, epoch, rng)

    def objective(
        self,
        network: nn.Module,
        auxiliary: nn.Module | None,
        batch: Batch,
        criterion: Callable[[Tensor, Batch], Tensor],
        facts: Facts,
        epoch: int,
    ) -> tuple[Tensor, Tensor]:
        features = network.features(batch.images)  # type: ignore[operator]
        logits = network.classifier.through_scales(features)  # type: ignore[union-attr,operator]
        return criterion(logits, batch), logits
