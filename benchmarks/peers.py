"""The same training as others would write it; each function yields once a step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from unskew.data.imageset import ImageSet
from unskew.models.registry import build

MEAN, STD = 120.0, 60.0


def plain_steps(model: str, images: ImageSet, batch: int) -> Iterator[None]:
    """A normalised float32 tensor in memory, flipped batch by batch."""
    network, optimizer = _network(model)
    pixels = torch.from_numpy(images.images).permute(0, 3, 1, 2).float().sub(MEAN).div(STD)
    pixels, labels = pixels.contiguous(), torch.from_numpy(images.labels)
    while True:
        for indices in torch.randperm(len(labels)).split(batch):
            shown = pixels[indices]
            flips = torch.rand(len(shown)) < 0.5
            shown[flips] = shown[flips].flip(3)
            _step(network, optimizer, shown, labels[indices])
            yield None


class PillowImages(Dataset[tuple[torch.Tensor, int]]):
    """Image by image: open, flip at random, to a normalised tensor."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images.images[index])
        if np.random.default_rng().random() < 0.5:
            image = ImageOps.mirror(image)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
        return pixels.sub_(MEAN).div_(STD), int(self.images.labels[index])


def dataloader_steps(model: str, images: ImageSet, batch: int) -> Iterator[None]:
    """A DataLoader with two workers."""
    network, optimizer = _network(model)
    loader = DataLoader(
        PillowImages(images), batch, shuffle=True, num_workers=2, persistent_workers=True
    )
    while True:
        for shown, labels in loader:
            _step(network, optimizer, shown, labels)
            yield None


def _network(model: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    network = build(model, 10)
    return network, torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)


def _step(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    loss.item()  # a loop of one's own records its loss
