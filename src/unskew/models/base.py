"""What every network of this package offers beside `forward`."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """A feature extractor followed by one linear classifier.

    Remedies that look inside a network (normalised or re-trained classifiers, contrastive
    losses) rely on these two parts and on nothing else, so they work for every architecture.

    Attributes
    ----------
    num_features: D, the width of what `features` returns.
    classifier: maps (B, D) to logits (B, K); `nn.Linear` unless a remedy has replaced it.
    """

    num_features: int
    classifier: nn.Module

    def features(self, images: Tensor) -> Tensor:
        """Images, float (B, 3, H, W) in any memory format, to features (B, D)."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Images, float (B, 3, H, W), to logits (B, K)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
