"""Logits of many images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unskew.data.augment import translate
from unskew.data.batches import Batches
from unskew.training.precision import autocast

AT_ONCE = 500
"""Images that a network looks at together."""


@torch.inference_mode()
def predict_logits(
    network: nn.Module,
    batches: Batches,
    dtype: torch.dtype,
    batch_size: int = AT_ONCE,
    views: str = "one",
) -> Tensor:
    """Logits of all images of `batches` in their order, float32 (N, K), on the device.

    The network is put into evaluation mode and left as it was found, whatever of it trained.

    Parameters
    ----------
    dtype: of the products, as `precision.resolve` gives it.
    batch_size: changes speed and memory, not results, but of a network that `reads_batch`.
    views: "one"; "flip": the mean of the image's and its mirror image's logits; "flip_translate":
        half of that, and half of its mean over the image shifted by one pixel up and left, and
        down and right (the six views of airbench94, Jordan 2024).
    """
    training = [(module, module.training) for module in network.modules()]
    network.eval()
    device = str(batches.device)

    def look(images: Tensor) -> Tensor:
        logits: Tensor = network(images).float()
        return logits

    try:
        with autocast(dtype, device):
            parts = torch.arange(len(batches), device=batches.device).split(batch_size)
            found = []
            for number, part in enumerate(parts):
                for coming in parts[number + 1 : number + 2]:
                    batches.ahead(coming)
                found.append(_mean(look, batches.images(part), views))
            return torch.cat(found)
    finally:
        for module, trained in training:
            module.training = trained


def _mean(look: Callable[[Tensor], Tensor], images: Tensor, views: str) -> Tensor:
    if views == "one":
        return look(images)
    if views == "flip":
        return (look(images) + look(images.flip(3))) / 2
    moved = [
        _mean(look, translate(images, torch.full_like(images[:, :2, 0, 0], by).long()), "flip")
        for by in (-1, 1)
    ]
    return _mean(look, images, "flip") / 2 + (moved[0] + moved[1]) / 4
