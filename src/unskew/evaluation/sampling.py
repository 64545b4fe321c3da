"""How far a share may move with other test images of the same kind."""

from __future__ import annotations

from scipy.stats import binomtest

from unskew.evaluation.significance import CONFIDENCE


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
    interval = binomtest(right, of).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
