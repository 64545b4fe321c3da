"""Lengths of the classifier's weights, one vector a class."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def classifier_weight(network: nn.Module) -> nn.Parameter:
    """The classifier's weights, float (K, D)."""
    weight = network.classifier.weight  # type: ignore[union-attr]
    assert isinstance(weight, nn.Parameter)
    return weight


def class_norms(network: nn.Module) -> Tensor:
    """‖w_k‖, the Euclidean length of each class's weights, float (K,), without gradient."""
    return classifier_weight(network).detach().norm(dim=1)


def divisors(network: nn.Module) -> Tensor:
    """`class_norms`, but 1 where the weights are all zero, which any factor leaves at zero."""
    norms = class_norms(network)
    return norms.where(norms > 0, 1.0)


@torch.no_grad()
def shorten(network: nn.Module, bound: float | Tensor) -> None:
    """Project each class's weights onto the ball of radius `bound`: w_k · min(1, δ/‖w_k‖)."""
    classifier_weight(network).mul_((bound / divisors(network)).clamp(max=1.0)[:, None])


@torch.no_grad()
def set_length(network: nn.Module, length: float) -> None:
    """Scale each class's weights to one length; weights that are all zero stay so."""
    classifier_weight(network).mul_((length / divisors(network))[:, None])
