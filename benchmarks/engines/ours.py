"""unskew, as `unskew train` and every worker of a study run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines import BATCH
from unskew.data.imageset import ImageSet, Splits
from unskew.kernels.memory import keep_freed_memory
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

if TYPE_CHECKING:
    from engines import Steps


def steps(model: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Steps:
    keep_freed_memory()
    names = tuple(map(str, range(10)))
    train = ImageSet(images, labels, names)
    splits = Splits("random", train, ImageSet(images[:BATCH], labels[:BATCH], names), "random")
    trainer = Trainer(Recipe(model=model, epochs=10_000, batch_size=BATCH), splits)
    wanted = yield
    done = 0
    while True:
        for _ in trainer.epoch():
            done += 1
            if done == wanted:
                wanted = yield
                done = 0
