"""skorch: the network as a scikit-learn estimator, `partial_fit` on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from engines import BATCH, MEAN, STD
from unskew.models.registry import build

if TYPE_CHECKING:
    from engines import Steps


def steps(model: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Steps:
    from skorch import NeuralNetClassifier

    class Flipping(NeuralNetClassifier):  # type: ignore[misc]
        def train_step(self, batch: Any, **fit_params: Any) -> Any:
            pixels, truth = batch
            flips = torch.rand(len(pixels)) < 0.5
            pixels[flips] = pixels[flips].flip(3)
            return super().train_step((pixels, truth), **fit_params)

    network = Flipping(
        build(model, 10),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        lr=0.01,
        batch_size=BATCH,
        max_epochs=1,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    ).initialize()
    pixels = ((images.astype(np.float32) - MEAN) / STD).transpose(0, 3, 1, 2).copy()
    wanted = yield
    begin = 0
    while True:
        shown = np.arange(begin, begin + wanted * BATCH) % len(pixels)
        begin = int(shown[-1]) + 1
        network.partial_fit(pixels[shown], labels[shown])
        wanted = yield
