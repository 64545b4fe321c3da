"""Weight decay that differs from layer to layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from unskew.remedies.base import Remedy
from unskew.remedies.options import option


@dataclass(frozen=True)
class WeightDecayByLayer(Remedy):
    """The recipe's weight decay λ in full on the classifier, and less, or more, further back.

    The layer d steps before the classifier decays by λ · ratio^d; biases and norm layers do not
    decay. A layer is a module with weights of its own, in the order the network defines them.
    Not from one paper: it asks whether it is the classifier's norms or the features' that decay
    acts through (Alshammari et al. 2022 find both out of balance).

    Attributes
    ----------
    ratio: 0 decays the classifier alone, 1 all weights alike.
    """

    name = "weight_decay_by_layer"
    divides_decay = True

    ratio: float = option(0.0, at_least=0, at_most=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "only_shortens", self.ratio == 0)

    def parameter_groups(self, network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        layers = weights_by_layer(network)
        groups = [
            {"params": layer, "weight_decay": weight_decay * self.ratio**distance}
            for distance, layer in enumerate(reversed(layers))
        ]
        rest = [p for p in network.parameters() if p.dim() < 2]
        return [*groups, {"params": rest, "weight_decay": 0.0}]


def weights_by_layer(network: nn.Module) -> list[list[nn.Parameter]]:
    """Parameters of two or more dimensions, module by module, the classifier's last."""
    classifier = set(network.classifier.modules())  # type: ignore[union-attr]
    modules = sorted(network.modules(), key=lambda module: module in classifier)
    own = ([p for p in m.parameters(recurse=False) if p.dim() >= 2] for m in modules)
    return [layer for layer in own if layer]
