"""Whole numbers from whatever a caller hands over."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def whole_numbers(values: ArrayLike, end: int) -> NDArray[np.int64] | None:
    """The values as int64, each at least 0 and below `end`; None where they are not.

    Fractions would be cut off, words taken for numbers and what is too large turned negative, by
    NumPy without a word.

    Parameters
    ----------
    values: of any shape; whole floats and truth values are whole numbers.
    end: at most 2^62.
    """
    try:
        found = np.asarray(values)
    except ValueError:  # lists of unequal length
        return None
    if found.dtype.kind not in "biuf" or not ((found >= 0) & (found < end)).all():
        return None
    return found.astype(np.int64) if (found == np.floor(found)).all() else None
