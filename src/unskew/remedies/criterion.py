"""The weighted, mixed mean of example losses that a run minimises."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from unskew.remedies.base import Batch, ExampleLoss


class Criterion:
    """Loss of a batch from the loss of its examples.

    sum(w * loss) / sum(w), with w the weight of each example's class. A mixed example
    counts `share` for its label and 1 - share for its other label (mixup, Zhang et al. 2018).

    Parameters
    ----------
    example_loss: (logits, labels) to losses (B,); None: cross-entropy.
    class_weights: float32 (K,) or None for equal weights.
    label_smoothing: share of the target spread over all classes; only with cross-entropy.
    """

    def __init__(
        self,
        example_loss: ExampleLoss | None,
        class_weights: Tensor | None,
        label_smoothing: float = 0.0,
    ) -> None:
        self._weights = class_weights
        self._smoothing = label_smoothing
        self._example_loss = example_loss or self._cross_entropy

    def __call__(self, logits: Tensor, batch: Batch, classes: Tensor | None = None) -> Tensor:
        """Scalar loss of `logits`, float (B, K), computed in float32.

        Parameters
        ----------
        classes: bool (K,): only labels of these classes count in the sum; the divisor stays the
            whole batch's, so that the losses of complementary classes add up to the whole.
        """
        logits = logits.float()
        if batch.other_labels is None or batch.share is None:
            if self._weights is None and classes is None:
                return self._example_loss(logits, batch.labels).mean()
            return self._mean([(batch.labels, None)], logits, classes)
        return self._mean(
            [(batch.labels, batch.share), (batch.other_labels, 1 - batch.share)], logits, classes
        )

    def _mean(
        self,
        targets: list[tuple[Tensor, Tensor | None]],
        logits: Tensor,
        classes: Tensor | None,
    ) -> Tensor:
        total = norm = logits.new_zeros(())
        for labels, share in targets:
            losses = self._example_loss(logits, labels)
            weights = losses.new_ones(()) if self._weights is None else self._weights[labels]
            weights = (weights if share is None else weights * share).expand_as(losses)
            counted = weights if classes is None else weights * classes[labels]
            total = total + (counted * losses).sum()
            norm = norm + weights.sum()
        return total / norm

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=self._smoothing)
