"""Label smoothing that is stronger for large classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unskew.data.transfer import Constant
from unskew.errors import UserError
from unskew.remedies.base import ExampleLoss, Facts, Remedy
from unskew.remedies.options import option


@dataclass(frozen=True)
class LabelAwareSmoothing(Remedy):
    """Cross-entropy with smoothed labels, the more so the larger the class.

    The target is 1 - ε_y for the label and ε_y / (K - 1) for every other class (Zhong et al. 2021,
    MiSLAS, section 3.2); ε_y rises from ε_K for the smallest class to ε_1 for the largest. The
    authors' code spreads ε_y over all K classes, the label among them; this is the paper's form.
    In the paper it serves the second, classifier-only stage after training with mixup.

    Attributes
    ----------
    head: ε_1, of the largest class; the authors' values for long-tailed CIFAR-10 are 0.3 at
        ratio 100 and 0.1 at ratio 10.
    tail: ε_K, of the smallest class that has images.
    shape: of the rise over the class size: "concave" (a sine's first
        quarter), "linear" or "convex".
    """

    name = "label_aware_smoothing"
    side_by_side = True

    head: float = option(0.3, at_least=0, below=1)
    tail: float = option(0.0, at_least=0, below=1)
    shape: str = option("concave", one_of=("concave", "linear", "convex"))

    def smoothing(self, facts: Facts) -> Tensor:
        """ε of each class, float64 (K,); ε_1 for all where all have the same size."""
        counts = facts.counts.astype(np.float64)
        least, most = counts[counts > 0].min(), counts.max()
        rank = np.clip((counts - least) / (most - least), 0, 1) if most > least else counts**0
        if self.shape == "concave":
            rise = np.sin(np.pi / 2 * rank)
        elif self.shape == "linear":
            rise = rank
        else:
            rise = 1 + np.sin(3 * np.pi / 2 + np.pi / 2 * rank)
        return torch.from_numpy(self.tail + (self.head - self.tail) * rise)

    def check(self, facts: Facts) -> None:
        if facts.num_classes < 2:
            raise UserError(
                "remedy 'label_aware_smoothing' gives some of a label to other classes, of which "
                "there are none: choose data of two classes or more"
            )

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        smoothing = Constant(self.smoothing(facts))
        others = facts.num_classes - 1

        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            amount = smoothing.like(logits)[labels]
            surprise = -F.log_softmax(logits, dim=1)
            own = surprise.gather(1, labels[:, None]).squeeze(1)
            rest = surprise.sum(dim=1) - own
            return (1 - amount) * own + amount / others * rest

        return loss
