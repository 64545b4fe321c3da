"""The family of losses that scale and shift the logits by class in training only."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from unskew.data.transfer import Constant
from unskew.remedies.base import ExampleLoss, Facts
from unskew.remedies.counts import at_least_one


def adjusted_cross_entropy(facts: Facts, gamma: float, tau: float) -> ExampleLoss:
    """Cross-entropy of Δ_c·z_c + ι_c, with Δ_c = (n_c / n_max)^γ and ι_c = τ·log(n_c / N).

    Kini et al. 2021, the VS loss with their parameters for many classes: γ = 0 is logit adjustment,
    τ = 0 class-dependent temperatures. At prediction the logits are taken as they are. A class
    without images counts as one image.
    """
    counts = at_least_one(facts)
    scale = _constant((counts / counts.max()) ** gamma)
    shift = _constant(tau * np.log(counts / counts.sum()))

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        adjusted = logits * scale.like(logits) + shift.like(logits)
        return F.cross_entropy(adjusted, labels, reduction="none")

    return loss


def _constant(values: NDArray[np.float64]) -> Constant:
    return Constant(torch.from_numpy(values))
