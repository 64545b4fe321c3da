"""Dividing a set so that every class is divided alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.data.randomness import stream


def stratified_split(
    labels: NDArray[np.int64], share: float, seed: int, num_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the rest and of what is held out, both ascending, int64.

    Each class gives `share` of its images, rounded to the nearest number, but always at least
    one if it has two or more, and never its last one: a class of one image stays in the rest.

    Parameters
    ----------
    labels: int64 (N,).
    share: in (0, 1).
    seed: decides which images; each class's choice depends on `seed` and the class alone.
    """
    held_out: list[NDArray[np.int64]] = []
    for k in range(num_classes):
        members = np.flatnonzero(labels == k)
        wanted = max(round(len(members) * share), 1)
        take = min(wanted, len(members) - 1) if len(members) else 0
        held_out.append(stream(seed, "split", k).permutation(members)[:take])
    apart = np.sort(np.concatenate(held_out)).astype(np.int64)
    rest = np.setdiff1d(np.arange(len(labels), dtype=np.int64), apart, assume_unique=True)
    return rest, apart
