"""Classes weighted by the inverse of their size."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from unskew.remedies.base import Facts, Remedy
from unskew.remedies.counts import at_least_one, weights_of_mean_one


@dataclass(frozen=True)
class InverseFrequency(Remedy):
    """Losses weighted by one over the size of the example's class.

    w_c ∝ 1 / n_c (King & Zeng 2001, "weighting"), up to scale the "balanced" weights of
    scikit-learn. As in PyTorch the batch's weighted sum is divided by the sum of its weights, so
    every class has the same say in a batch that has them all; a class that many batches lack has
    less.
    """

    name = "inverse_frequency"
    side_by_side = True
    corrects_prior = True

    def class_weights(self, facts: Facts, epoch: int) -> Tensor:
        return weights_of_mean_one(1 / at_least_one(facts), facts)
