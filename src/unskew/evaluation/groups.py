"""Classes by how many training images they have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MANY, FEW = 100, 20
"""More than MANY images: many-shot; fewer than FEW: few-shot (Liu et al. 2019, section 4.1)."""

MINORITY = 2 / 3
"""Share of the mean class's training images below which a class counts as a minority."""


def classes_of(metric: str, counts: Sequence[int]) -> tuple[bool, ...] | None:
    """Which classes a mean over a group is of, by its name in an `Evaluation`; None for all else.

    The groups follow from training images, so one name is the mean over other classes after
    another skew.

    Parameters
    ----------
    metric: "minority_accuracy", "few_accuracy" and so on.
    counts: K, training images.
    """
    found = _groups(np.asarray(counts, dtype=np.int64)).get(metric)
    return None if found is None else tuple(found.tolist())


def by_shots(
    recall: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[float | None, float | None, float | None]:
    """Mean recall of many-, medium- and few-shot classes; None for a group without classes.

    Parameters
    ----------
    recall: float64 (K,), NaN for a class without evaluated images.
    counts: int64 (K,), training images.
    """
    groups = _groups(counts)
    many, medium, few = (groups[f"{shots}_accuracy"] for shots in ("many", "medium", "few"))
    return _mean(recall, many), _mean(recall, medium), _mean(recall, few)


def is_minority(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool (K,): classes with fewer training images than two thirds of the mean class.

    Below the mean itself would call half of the classes of almost balanced data a minority.
    """
    minority: NDArray[np.bool_] = counts < counts.mean() * MINORITY
    return minority


def minority_and_majority(
    recall: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[float | None, float | None]:
    """Mean recall of the minority and of the other classes; (None, None) where no
    class is a minority.
    """
    groups = _groups(counts)
    if not groups["minority_accuracy"].any():
        return None, None
    return _mean(recall, groups["minority_accuracy"]), _mean(recall, groups["majority_accuracy"])


def _groups(counts: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Every group, bool (K,), by the name of the mean over it; one definition for all that ask."""
    minority, few, many = is_minority(counts), counts < FEW, counts > MANY
    return {
        "minority_accuracy": minority,
        "majority_accuracy": ~minority,
        "many_accuracy": many,
        "medium_accuracy": ~many & ~few,
        "few_accuracy": few,
    }


def _mean(recall: NDArray[np.float64], group: NDArray[np.bool_]) -> float | None:
    known = recall[group & ~np.isnan(recall)]
    return float(known.mean()) if len(known) else None
