"""One classifier's figures on one set of images: per class and over all classes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unskew.data.whole import whole_numbers
from unskew.evaluation import calibration, groups
from unskew.evaluation.confusion import accuracy_under_prior, confusion_matrix, per_class
from unskew.evaluation.probabilities import log_odds, softmax
from unskew.evaluation.ranking import auroc_one_vs_rest
from unskew.evaluation.sampling import wilson_interval

MOST = 2**62
"""Labels and counts are below it; int64 could not hold many more."""


@dataclass(frozen=True)
class Evaluation:
    """Figures of one classifier; all shares in [0, 1], None where a figure is undefined.

    Means over classes leave out classes that have no image in the evaluated set: their recall
    is undefined, and counting it as 0 or 1 would be a guess. `classwise_ece` alone is over all
    classes, as its source has it: that what is given to a class without images is too much, is
    known.

    Attributes
    ----------
    split: what was evaluated on: "test", "skewed test" or "validation".
    class_names: K names.
    train_counts, support: training images and evaluated images of each class.
    confusion: K rows, the true classes, of K counts, the predicted ones.
    accuracy: share of images classified right.
    balanced_accuracy: mean of the classes' recalls (Brodersen et al. 2010).
    macro_f1: mean of the classes' F1.
    minority_accuracy, majority_accuracy: mean recall of the classes with fewer training images
        than two thirds of the mean class, and of the others; None where no class has so few.
    many_accuracy, medium_accuracy, few_accuracy: mean recall of classes with more than 100, 20
        to 100 and fewer than 20 training images (Liu et al. 2019).
    worst_class_accuracy: the smallest recall.
    class_accuracy: recall of each class; precision, f1: likewise.
    nll: mean negative log-likelihood, in nats.
    brier: mean squared error of the probabilities, summed over classes (Brier 1950), in [0, 2].
    ece: expected calibration error of the top probability, 15 equal bins (Guo et al. 2017).
    classwise_ece: mean over all classes, with images or without, of the same for each class's
        probability (Kull et al. 2019).
    auroc: each class against the rest.
    """

    split: str
    class_names: tuple[str, ...]
    train_counts: tuple[int, ...]
    support: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    minority_accuracy: float | None
    majority_accuracy: float | None
    many_accuracy: float | None
    medium_accuracy: float | None
    few_accuracy: float | None
    worst_class_accuracy: float
    class_accuracy: tuple[float | None, ...]
    precision: tuple[float | None, ...]
    f1: tuple[float | None, ...]
    nll: float
    brier: float
    ece: float
    classwise_ece: float
    auroc: tuple[float | None, ...]

    def __post_init__(self) -> None:
        """Raise a ValueError unless there is one figure a class: a file may have been edited."""
        by_class = (
            self.train_counts, self.support, self.confusion, *self.confusion, self.class_accuracy,
            self.precision, self.f1, self.auroc,
        )  # fmt: skip
        if any(len(figures) != len(self.class_names) for figures in by_class):
            raise ValueError(f"there are {len(self.class_names)} classes: give figures of each")

    @property
    def mean_auroc(self) -> float | None:
        """Mean of the classes' areas that are defined; None if none is."""
        known = [area for area in self.auroc if area is not None]
        return sum(known) / len(known) if known else None

    @property
    def class_accuracy_interval(self) -> tuple[tuple[float, float] | None, ...]:
        """Of each class's recall: what other images of the class might have given; None for a
        class without images.
        """
        return tuple(
            wilson_interval(row[k], sum(row)) if sum(row) else None
            for k, row in enumerate(self.confusion)
        )

    def accuracy_under(self, prior: ArrayLike) -> float:
        """Accuracy to expect where the classes come with another prior, float (K,).

        Raises
        ------
        ValueError: the prior gives no weight to any class that has images.
        """
        return accuracy_under_prior(np.array(self.confusion), np.asarray(prior, dtype=np.float64))

    def to_dict(self) -> dict[str, Any]:
        """Plain values by the names of the fields."""
        return asdict(self)

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


def evaluate_logits(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    class_names: tuple[str, ...],
    train_counts: ArrayLike,
    split: str = "test",
) -> Evaluation:
    """All figures from a classifier's logits.

    Parameters
    ----------
    logits: float (N, K); the prediction is the largest, the first of equals.
    labels: int (N,), each in [0, K).
    class_names: K names.
    train_counts: int (K,), images each class was trained on.
    split: what the images are, for the record.

    Raises
    ------
    ValueError: shapes do not fit, there are no images, a logit is not finite, or labels or counts
        are not whole numbers from 0 up.

    Examples
    --------
    >>> figures = evaluate_logits([[2.0, 0.0], [0.5, 1.0], [1.0, 0.0]], [0, 1, 1],
    ...                           class_names=("cat", "dog"), train_counts=[9, 1])
    >>> round(figures.accuracy, 3), figures.balanced_accuracy, figures.minority_accuracy
    (0.667, 0.75, 0.5)
    """
    if hasattr(logits, "detach"):  # a tensor of PyTorch's, which nothing here needs
        logits = logits.detach().cpu().double().numpy()
    scores = np.asarray(logits, dtype=np.float64)
    truth, counts = _whole(labels, "labels"), _whole(train_counts, "train_counts")
    _check(scores, truth, counts, class_names)
    confusion = confusion_matrix(truth, scores.argmax(axis=1), len(class_names))
    probabilities = softmax(scores)
    recall, precision, f1 = per_class(confusion)
    many, medium, few = groups.by_shots(recall, counts)
    minority, majority = groups.minority_and_majority(recall, counts)
    return Evaluation(
        split=split,
        class_names=tuple(class_names),
        train_counts=tuple(counts.tolist()),
        support=tuple(confusion.sum(axis=1).tolist()),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        accuracy=float(np.trace(confusion) / len(truth)),
        balanced_accuracy=float(np.nanmean(recall)),
        macro_f1=float(np.nanmean(f1)),
        minority_accuracy=minority,
        majority_accuracy=majority,
        many_accuracy=many,
        medium_accuracy=medium,
        few_accuracy=few,
        worst_class_accuracy=float(np.nanmin(recall)),
        class_accuracy=_optional(recall),
        precision=_optional(precision),
        f1=_optional(f1),
        nll=calibration.negative_log_likelihood(scores, truth),
        brier=calibration.brier(probabilities, truth),
        ece=calibration.expected_calibration_error(probabilities, truth),
        classwise_ece=calibration.classwise_calibration_error(probabilities, truth),
        auroc=_optional(auroc_one_vs_rest(log_odds(scores), truth)),
    )


def _whole(values: ArrayLike, what: str) -> NDArray[np.int64]:
    found = whole_numbers(values, MOST)
    if found is None:
        raise ValueError(f"{what} must be whole numbers from 0 up")
    return found


def _check(
    scores: NDArray[np.float64],
    truth: NDArray[np.int64],
    counts: NDArray[np.int64],
    class_names: tuple[str, ...],
) -> None:
    classes = len(class_names)
    if scores.ndim != 2 or scores.shape[1] != classes:
        raise ValueError(f"logits must be (N, {classes}), not {scores.shape}")
    if len(scores) == 0 or truth.shape != (len(scores),):
        raise ValueError(f"labels must be ({len(scores)},) and not empty, not {truth.shape}")
    if counts.shape != (classes,):
        raise ValueError(f"train_counts must be ({classes},), not {counts.shape}")
    if truth.min() < 0 or truth.max() >= classes:
        raise ValueError(f"labels must lie in [0, {classes})")
    if not np.isfinite(scores).all():
        raise ValueError("logits must be finite: the network has produced NaN or infinity")


def _optional(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
