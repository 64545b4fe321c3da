"""The coursework's way: a Dataset that transforms image by image, a DataLoader with two workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from engines import BATCH, MEAN, STD
from engines.plain_torch import make_network, train_step

if TYPE_CHECKING:
    from engines import Steps


class PillowImages(Dataset[tuple[torch.Tensor, int]]):
    """Image by image: open, flip at random, to a normalised tensor."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index])
        if torch.rand(()) < 0.5:
            image = ImageOps.mirror(image)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
        return pixels.sub_(MEAN).div_(STD), int(self.labels[index])


def steps(model: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Steps:
    network, optimizer = make_network(model)
    loader = DataLoader(
        PillowImages(images, labels), BATCH, shuffle=True, num_workers=2, persistent_workers=True
    )
    wanted = yield
    done = 0
    while True:
        for shown, truth in loader:
            train_step(network, optimizer, shown, truth)
            done += 1
            if done == wanted:
                wanted = yield
                done = 0
