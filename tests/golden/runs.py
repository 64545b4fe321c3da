"""The short runs whose losses are kept: every network with every remedy, 20 steps each.

Everything is as small as the networks allow, so that the whole table takes half a minute: four
classes of 16, 8, 4 and 2 images of 8×8 pixels, eight images a step, four steps an epoch, five
epochs. Deferred weights, second stages and the like begin within them.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from unskew.data.imageset import ImageSet, Splits
from unskew.data.randomness import stream
from unskew.data.skew import ExponentialSkew
from unskew.remedies.registry import names as remedy_names
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

STEPS = 20
CLASSES, EACH, SIZE = 4, 16, 8


@dataclass(frozen=True)
class Small:
    """A network as it is run here.

    Attributes
    ----------
    options: that make it small.
    learning_rate: as large as lets rounding errors stay small for 20 steps.
    kinked: ReLUs and max-pools over convolutions. Where an activation lies within a rounding
        error of a kink, its gradient is there on one processor and gone on the next; in a batch of
        eight that is seen at once.
    """

    options: dict[str, Any]
    learning_rate: float
    kinked: bool


NETWORKS = {
    "cnn": Small({"hidden": 32}, 3e-4, kinked=True),
    "lstm": Small({"hidden": 32, "hidden_size": 16}, 1e-2, kinked=False),
    "lstm_misread": Small({"hidden": 32, "hidden_size": 16}, 1e-2, kinked=False),
    "resnet32": Small({}, 1e-4, kinked=True),
    "whitened_cnn": Small({"width": 8}, 3e-3, kinked=False),
}

READINGS = ("scrambled", "batch_as_time")
"""Of lstm_misread, which differs from lstm in what it is fed and in nothing that a remedy touches:
it is run without remedies, once for each reading, named in the remedy's place."""

TOGETHER = ("ldam+drw", "cutmix+balanced_softmax")
"""Compositions that are run beside the remedies alone."""

OPTIONS = {"max_norm": {"delta": 0.1}, "ldam": {"s": 8.0}}
"""Where a default does not suit so short a run: these classifiers never grow to max_norm's usual
bound, and ldam's usual scale multiplies rounding errors thousandfold in 20 steps."""

EPOCHS = {"undersample": 20, "posthoc_bbse": 7, "temperature_scaling": 7}
"""Of remedies that show fewer images an epoch; all others have 5."""


def remedies(network: str) -> tuple[str, ...]:
    """What a network is run with."""
    return READINGS if network == "lstm_misread" else ("none", *remedy_names(), *TOGETHER)


def recipe(network: str, remedy: str) -> Recipe:
    """The run of a network with one of its `remedies`."""
    small = NETWORKS[network]
    options = small.options
    if network == "lstm_misread":
        options, remedy = {**options, "reading": remedy}, "none"
    return Recipe(
        data="made up",
        skew=ExponentialSkew(imbalance_ratio=8),
        augmentation="flip_crop",
        model=network,
        model_options=options,
        remedy=remedy,
        remedy_options={part: OPTIONS[part] for part in remedy.split("+") if part in OPTIONS},
        epochs=EPOCHS.get(remedy, 5),
        max_steps=STEPS,
        batch_size=8,
        learning_rate=small.learning_rate,
        weight_decay=0.3,
        schedule="cosine",
        precision="float32",
        kernels="off",  # they round otherwise on each processor
    )


def losses(run: Recipe) -> list[float]:
    """What the trainer records of a run."""
    trainer = Trainer(run, images())
    trainer.fit()
    return trainer.state.history.losses


@cache
def images() -> Splits:
    """Noise in which each class has a quadrant of a channel that is brighter."""
    return Splits("made up", _some(EACH, "golden train"), _some(2, "golden test"), "f00d")


def _some(each: int, name: str) -> ImageSet:
    labels = np.arange(CLASSES * each, dtype=np.int64) % CLASSES
    pixels = stream(0, name).integers(0, 200, (len(labels), SIZE, SIZE, 3))
    half = SIZE // 2
    for k in range(CLASSES):
        row, column = k // 2 * half, k % 2 * half
        pixels[labels == k, row : row + half, column : column + half, k % 3] += 55
    return ImageSet(pixels.astype(np.uint8), labels, tuple(f"class {k}" for k in range(CLASSES)))
