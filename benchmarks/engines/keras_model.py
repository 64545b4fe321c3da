"""Keras 3: the two networks and `fit`, whatever the backend that `KERAS_BACKEND` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines import BATCH, MEAN, STD

if TYPE_CHECKING:
    from engines import Steps

WIDTHS = (32, 32, 64, 64, 128, 128)


def steps(model: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Steps:
    network = make_network(model)
    pixels = images.astype(np.float32)
    pixels -= MEAN
    pixels /= STD
    wanted = yield
    begin = 0
    while True:
        # As many images as the wanted steps show, one after the other through the whole set.
        shown = np.arange(begin, begin + wanted * BATCH) % len(pixels)
        begin = int(shown[-1]) + 1
        network.fit(pixels[shown], labels[shown], batch_size=BATCH, epochs=1, verbose=0)
        wanted = yield


def make_network(model: str) -> Any:
    """The network of `unskew.models` of the same name, with flips, compiled."""
    import keras
    from keras import layers

    stages: list[Any] = [layers.Input((32, 32, 3)), layers.RandomFlip("horizontal")]
    if model == "cnn":
        for position, width in enumerate(WIDTHS):
            stages += [
                layers.Conv2D(width, 3, padding="same", use_bias=False),
                layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
                layers.ReLU(),
            ]
            if position % 2:
                stages.append(layers.MaxPooling2D(2))
        stages.append(layers.Flatten())
    elif model == "lstm":
        stages += [layers.Reshape((32, 96)), layers.LSTM(256, return_sequences=True)]
        stages.append(layers.LSTM(256))
    else:
        raise ImportError(f"{model} is not written for Keras here")
    stages += [
        layers.Dense(256, use_bias=False),
        layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
        layers.ReLU(),
        layers.Dense(10),
    ]
    network = keras.Sequential(stages)
    network.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return network
