"""Classifiers that a remedy puts in place of a network's own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NormalisedClassifier(nn.Module):
    """Logits are scaled cosines between the features and one direction per class.

    s · cos(w_k, h), without bias (Wang et al. 2017, NormFace). The length of a
    class's weights, which grows with its images, has no say. The scale is part of the logits,
    so that their softmax is a probability worth calibrating; published code leaves it in the
    loss, and evaluates a softmax over numbers between -1 and 1.

    Parameters
    ----------
    num_features: D.
    num_classes: K.
    scale: s, the largest logit.

    Shapes
    ------
    features float (B, D) -> logits (B, K).
    """

    def __init__(self, num_features: int, num_classes: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(num_classes, num_features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Directions drawn anew, of length 1, as in the code of Cao et al. 2019."""
        with torch.no_grad():
            self.weight.uniform_(-1, 1)
            self.weight.copy_(F.normalize(self.weight))

    def forward(self, features: Tensor) -> Tensor:
        return self.scale * F.linear(F.normalize(features), F.normalize(self.weight))

    def extra_repr(self) -> str:
        classes, features = self.weight.shape
        return f"num_features={features}, num_classes={classes}, scale={self.scale:g}"
