"""Class weights that begin late."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from unskew.remedies.base import Facts, Remedy
from unskew.remedies.counts import at_least_one, first_epoch, weights_of_mean_one
from unskew.remedies.losses.effective_number import inverse_effective_number
from unskew.remedies.options import option


@dataclass(frozen=True)
class DeferredReweighting(Remedy):
    """Plain training first, classes weighted by their effective number in the last epochs.

    Cao et al. 2019, algorithm 1 (DRW): features are learnt from all images alike before the
    weights of Cui et al. 2019 set in. The paper's learning rate drops where they begin (epoch
    160 of 200); give the recipe such a schedule to repeat it.

    Attributes
    ----------
    beta: β of the effective number.
    start: share of the run's epochs before the weights begin, rounded down to whole epochs.
    """

    name = "drw"
    side_by_side = True
    corrects_prior = True
    gradual = True

    beta: float = option(0.9999, at_least=0, below=1)
    start: float = option(0.8, at_least=0, below=1)

    def begins(self, epochs: int) -> int:
        return first_epoch(self.start, epochs)

    def class_weights(self, facts: Facts, epoch: int) -> Tensor | None:
        if epoch < self.begins(facts.epochs):
            return None
        return weights_of_mean_one(inverse_effective_number(at_least_one(facts), self.beta), facts)
