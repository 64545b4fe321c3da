"""Choosing a remedy from the class counts alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEARLY_EVEN = 1.5
"""Largest class over smallest up to which data are left as they are."""


def choose(counts: NDArray[np.int64]) -> tuple[str, str]:
    """What `--balance auto` does for these training images, and why.

    Balanced softmax wherever the largest class is more than half again as large as the smallest:
    it takes no time, has nothing to tune, corrects exactly for the class prior, and stays right
    however far the counts lie apart. Below that the correction is smaller than what the choice
    of seed does.

    Parameters
    ----------
    counts: training images per class, int64 (K,).

    Returns
    -------
    A remedy's name as in a recipe, and one or two sentences for the user.
    """
    seen = counts[counts > 0]
    missing = len(counts) - len(seen)
    absent = "" if not missing else f" {_classes(missing)} no training image and cannot be learnt."
    if len(seen) < 2:
        return "none", f"No remedy: fewer than two classes have training images.{absent}"
    largest, smallest = int(seen.max()), int(seen.min())
    ratio = largest / smallest
    spread = f"{largest} training images in the largest class, {smallest} in the smallest"
    if ratio <= NEARLY_EVEN:
        return "none", f"No remedy: the classes are nearly even ({spread}).{absent}"
    return (
        "balanced_softmax",
        f"Balanced softmax: the classes are skewed {ratio:.3g} to 1 ({spread}), and it corrects "
        "for exactly that in as little time. It is for use where the classes count alike; where "
        f"new images come in the same shares, the plain run is right more often.{absent}",
    )


def _classes(number: int) -> str:
    return "1 class has" if number == 1 else f"{number} classes have"
