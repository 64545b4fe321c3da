"""The focal loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from unskew.remedies.base import ExampleLoss, Facts, Remedy
from unskew.remedies.options import option


@dataclass(frozen=True)
class Focal(Remedy):
    """Examples that are already classified well count less.

    -(1 - p)^γ · log p, with p the softmax probability of the label (Lin et al. 2017, equation 4;
    the paper has one sigmoid per class, the softmax is the usual form for images of one class).
    The paper's α is a class weight: combine it with `inverse_frequency` or `effective_number`.
    p is the network's own probability; much public code takes it from a loss that has already
    been multiplied by the class weight, where exp(-loss) is p to the power of the weight.

    Attributes
    ----------
    gamma: γ; 0 is cross-entropy. 2 is the paper's best.
    """

    name = "focal"
    side_by_side = True

    gamma: float = option(2.0, at_least=0)

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        return self._loss

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        cross_entropy = F.cross_entropy(logits, labels, reduction="none")
        # 1 - p without cancellation; kept off 0, where a power below 1 has no slope.
        miss = -torch.expm1(-cross_entropy)
        return miss.clamp(min=torch.finfo(miss.dtype).tiny) ** self.gamma * cross_entropy
