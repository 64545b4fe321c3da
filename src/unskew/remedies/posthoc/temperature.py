"""Temperature scaling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from unskew.remedies.base import Adjustment, Facts, HeldOut, Remedy

WIDEST = 100.0
"""Temperatures are sought between 1/WIDEST and WIDEST."""


@dataclass(frozen=True)
class TemperatureScaling(Remedy):
    """One divisor for all logits, fitted on held-out training images; no prediction changes.

    softmax(z/T) with the T > 0 of the least negative log-likelihood (Guo et al. 2017, section
    4.2) on a tenth of the training images, which is not trained on. The fit is for the training
    prior, so beside a correction of the prior it is made first, in whatever order they are named;
    a balanced fit is for equally frequent classes, and is made after the prior is out. Where the
    network classifies every held-out image right the loss falls without end as T goes to 0, and
    every mistake on new images would be a certain one; then T stays 1, and the run says so.

    Attributes
    ----------
    balanced: weigh the held-out images so that all classes count alike: for use where they are
        equally frequent, and for networks whose loss or sampling has already balanced them.
    """

    name = "temperature_scaling"
    held_out = 0.1

    balanced: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "even", self.balanced)

    def adjustment(self, facts: Facts, held_out: HeldOut) -> Adjustment | None:
        assert held_out.logits is not None
        assert held_out.labels is not None
        labels = held_out.labels.numpy()
        if not len(labels):
            return None
        logits, temperature = held_out.logits.double().numpy(), 1.0
        note = f"temperature 1, not fitted: all {len(labels)} held-out images are classified right"
        if not _all_right(logits, labels):
            weights = np.ones(len(labels))
            if self.balanced:
                weights = 1 / np.bincount(labels, minlength=facts.num_classes)[labels]
            temperature = fit_temperature(logits, labels, weights)
            note = f"temperature {temperature:.3g}"
        scale = torch.full((facts.num_classes,), 1 / temperature)
        return Adjustment(scale, torch.zeros(facts.num_classes), note)


def _all_right(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> bool:
    """Whether of each image's logits none is as large as that of its own class."""
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    return bool(((logits >= own).sum(axis=1) == 1).all())


def fit_temperature(
    logits: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> float:
    """The T of the least weighted negative log-likelihood of softmax(z/T), in [1/100, 100].

    The loss is convex in 1/T, hence has one minimum in log T, which is sought. Where every
    image is classified right it falls with T until nothing is left of it, and a T so small that
    nothing is left is returned.

    Parameters
    ----------
    logits: float64 (M, K).
    labels: int64 (M,).
    weights: float64 (M,), positive.
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / math.exp(log_temperature), axis=1)
        return float(-(weights * scaled[rows, labels]).sum() / weights.sum())

    widest = math.log(WIDEST)
    found = minimize_scalar(
        loss, bounds=(-widest, widest), method="bounded", options={"xatol": 1e-6}
    )
    return math.exp(found.x)
