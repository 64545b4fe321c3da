"""Classes weighted by the inverse of their size."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from unskew.remedies.base import Facts, Remedy
from unskew.remedies.counts import at_least_one, weights_of_mean_one


@dataclass(frozen=True)
class InverseFrequency(Remedy):
    """Losses weighted by one over the size of the example's class.

    w_c ∝ 1 / n_c (King & Zeng 2001, "weighting"): in expectation every class has the same say.
    Up to scale, which the weighted mean cancels, the "balanced" weights of scikit-learn.
    """

    name = "inverse_frequency"
    corrects_prior = True

    def class_weights(self, facts: Facts, epoch: int) -> Tensor:
        return weights_of_mean_one(1 / at_least_one(facts), facts)
