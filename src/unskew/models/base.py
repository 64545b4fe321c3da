"""What every network of this package offers beside `forward`."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from unskew.models.table import NETWORKS
from unskew.registration import register


def check_width(name: str, width: int) -> None:
    """Raise a ValueError if a layer would have no units."""
    if width < 1:
        raise ValueError(f"{name} = {width}: choose 1 or more")


class Network(nn.Module):
    """A feature extractor followed by one linear classifier.

    Remedies that look inside a network (normalised or re-trained classifiers, contrastive
    losses) rely on these two parts and on nothing else, so they work for every architecture.

    Attributes
    ----------
    num_features: D, the width of what `features` returns.
    classifier: maps (B, D) to logits (B, K); `nn.Linear` unless a remedy has replaced it.
    fused: use the kernels of `unskew.kernels` where the network and the machine have them. Off
        unless it is asked for, so that hooks, tracing and function transforms see the layers.

    Class attributes
    ----------------
    kernels: names of the files of `unskew.kernels` that it uses, in the folder of each number
        format; all are for a CPU.
    reads_batch: an image's logits depend on which images are beside it, at prediction as well.
    name: what recipes call one that is not in `unskew.models.table`; defining it registers it.
    side_by_side: it holds under `torch.func.vmap`, draws nothing at random and counts nothing in
        Python while it runs, so that a GPU may train many at once, and replay a step. Each class
        says it for itself.
    """

    name: ClassVar[str] = ""
    known: ClassVar[dict[str, type[Network]]] = {}
    side_by_side: ClassVar[bool] = False
    kernels: ClassVar[tuple[str, ...]] = ()
    reads_batch: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.side_by_side = bool(cls.__dict__.get("side_by_side", False))
        if cls.__dict__.get("name"):
            register(cls, Network.known, "model", taken=NETWORKS)

    num_features: int
    fused: bool = False
    classifier: nn.Module

    def unfused(self) -> str:
        """Why none of its kernels can take this network, for people; empty where they can."""
        return ""

    def features(self, images: Tensor) -> Tensor:
        """Images, float (B, 3, H, W) in any memory format, to features (B, D)."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Images, float (B, 3, H, W), to logits (B, K)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
