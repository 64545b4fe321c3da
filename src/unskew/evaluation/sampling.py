"""How far a share may move with other test images of the same kind."""

from __future__ import annotations

import math

from scipy.special import ndtri

from unskew.evaluation.conventions import CONFIDENCE


def wilson_interval(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a share, `right` images of `of`, by the score test (Wilson 1927).

    The usual interval around the share is far too narrow for few images and has no width at 0
    and 1; this one holds for a class with a handful of test images.

    Raises
    ------
    ValueError: there is no image, or `right` is not between 0 and `of`.
    """
    if of < 1 or not 0 <= right <= of:
        raise ValueError(f"{right} of {of} images is no share")
    # `scipy.stats` has it too, and would take each process a second to import.
    share, square = right / of, float(ndtri((1 + CONFIDENCE) / 2)) ** 2
    middle = share + square / (2 * of)
    half = math.sqrt(square * (share * (1 - share) / of + square / (4 * of**2)))
    scale = 1 + square / of
    return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)
