"""The confusion matrix, and what follows from it class by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.evaluation.priors import over_present


def confusion_matrix(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> NDArray[np.int64]:
    """Counts, int64 (K, K): row the true class, column the predicted one.

    Parameters
    ----------
    truth, predicted: int64 (N,), each in [0, K).
    """
    cells = np.bincount(truth * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def per_class(
    confusion: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(recall, precision, F1) of each class, float64 (K,) each.

    A class without images has NaN everywhere. A class that has images and is never predicted
    has precision 0, the convention of scikit-learn's `zero_division=0`.
    """
    right = np.diag(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    absent = support == 0
    recall = right / np.maximum(support, 1)
    precision = right / np.maximum(predicted, 1)
    f1 = 2 * right / np.maximum(support + predicted, 1)
    for figure in (recall, precision, f1):
        figure[absent] = np.nan
    return recall, precision, f1


def accuracy_under_prior(confusion: NDArray[np.int64], prior: NDArray[np.float64]) -> float:
    """Accuracy to expect where the classes come with another prior: sum of prior * recall.

    Holds where only the prior changes and not what each class looks like (label shift).

    Parameters
    ----------
    prior: float64 (K,), non-negative; scaled to sum to 1 over the classes that have images.

    Raises
    ------
    ValueError: the prior gives no weight to any class that has images.
    """
    recall = per_class(confusion)[0]
    return float(np.nansum(over_present(prior, confusion.sum(axis=1)) * recall))
