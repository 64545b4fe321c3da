"""Logits of many images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unskew.data.batches import Batches
from unskew.training.precision import autocast


@torch.inference_mode()
def predict_logits(
    network: nn.Module, batches: Batches, dtype: torch.dtype, batch_size: int = 500
) -> Tensor:
    """Logits of all images of `batches` in their order, float32 (N, K), on the device.

    The network is put into evaluation mode and left as it was found.

    Parameters
    ----------
    dtype: of the products, as `precision.resolve` gives it.
    batch_size: changes speed and memory, not results.
    """
    was_training = network.training
    network.eval()
    device = str(batches.device)
    try:
        with autocast(dtype, device):
            indices = torch.arange(len(batches), device=batches.device)
            return torch.cat(
                [network(batches.images(part)).float() for part in indices.split(batch_size)]
            )
    finally:
        network.train(was_training)
