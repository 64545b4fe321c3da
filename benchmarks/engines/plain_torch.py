"""A loop of one's own over a normalised float32 tensor in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from engines import BATCH, MEAN, STD
from unskew.models.registry import build

if TYPE_CHECKING:
    from engines import Steps


def steps(model: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Steps:
    network, optimizer = make_network(model)
    # Normalised in place, so that the peak of memory is not that of this one line.
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float().sub_(MEAN).div_(STD)
    truth = torch.from_numpy(labels)
    wanted = yield
    done = 0
    while True:
        for indices in torch.randperm(len(truth)).split(BATCH):
            shown = pixels[indices]
            flips = torch.rand(len(shown)) < 0.5
            shown[flips] = shown[flips].flip(3)
            train_step(network, optimizer, shown, truth[indices])
            done += 1
            if done == wanted:
                wanted = yield
                done = 0


def make_network(model: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """The network in float32 and the coursework's optimiser."""
    network = build(model, 10)
    return network, torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)


def train_step(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    """One step as PyTorch's tutorials write it."""
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    loss.item()  # a loop of one's own records its loss
