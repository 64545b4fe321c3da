"""What remedies take from the class counts, and how they treat a class without images."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.errors import UserError
from unskew.remedies.base import Facts


def at_least_one(facts: Facts) -> NDArray[np.float64]:
    """Images per class, float64 (K,); a class without images counts as one image.

    The logarithm of an empty class's prior is minus infinity: a loss that adds it to the logits
    would leave that class's logit to chance. Counted as one image it is pushed down like the
    rarest class there could be, and everything stays finite.
    """
    return np.maximum(facts.counts, 1).astype(np.float64)


def weights_of_mean_one(weights: NDArray[np.float64], facts: Facts) -> Tensor:
    """Class weights scaled to a mean of 1 over the classes that have images, float32 (K,).

    Classes without images weigh 0: no example ever asks for their weight, and they shall not
    shift the others' scale.

    Raises
    ------
    UserError: one would weigh nothing, or more or less than float32 holds.
    """
    present = facts.counts > 0
    scaled = np.where(present, weights, 0.0)
    total = scaled.sum()
    weighed = np.zeros(len(scaled), np.float32)
    if 0 < total < math.inf:
        weighed = (scaled / total * present.sum()).astype(np.float32)
    # An image of a class that weighs nothing makes a batch of its class a division of 0 by 0.
    if not weighed[present].all():
        raise UserError(
            "the remedy's options weigh classes by more or less than a number can hold: choose "
            "smaller ones"
        )
    return torch.from_numpy(weighed)


def check_weights(name: str, weigh: Callable[[], object]) -> None:
    """Raise a UserError that names the remedy if its class weights cannot be computed."""
    try:
        weigh()
    except UserError as error:
        raise UserError(f"remedy {name!r}: {error}") from None


def first_epoch(start: float, epochs: int) -> int:
    """The epoch, from 0, that a share `start`, at least 0 and below 1, of a run comes before.

    Rounded down, so that what begins there acts in the last epoch at least: with 0.8, epochs 160
    to 199 of 200, and the last of 5.
    """
    return math.floor(start * epochs + 1e-9)
