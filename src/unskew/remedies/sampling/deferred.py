"""Deferred re-sampling (DRS)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.remedies.base import Draw, Facts, Remedy
from unskew.remedies.counts import first_epoch
from unskew.remedies.options import option
from unskew.remedies.sampling.class_draws import class_probability, draw_by_class


@dataclass(frozen=True)
class DeferredResampling(Remedy):
    """Images as they come first, class-balanced sampling for the last part of the run.

    DRS of Cao et al. 2019, section 3.3, the twin of deferred re-weighting: the features are
    learnt from the data as they are, the decision is balanced at a low learning rate. Their code
    draws an image in proportion to one over its class's effective number (β = 0.9999), which is
    almost the same; here every class is drawn alike.

    Attributes
    ----------
    start: share of the run's epochs after which it begins; 0.8 is the paper's 160 of 200.
    """

    name = "deferred_resampling"
    corrects_prior = True
    gradual = True

    start: float = option(0.8, at_least=0, below=1)

    def begins(self, epochs: int) -> int:
        return first_epoch(self.start, epochs)

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw | None:
        if epoch < self.begins(facts.epochs):
            return None
        return Draw(draw_by_class(facts, class_probability(facts.counts, 0), rng))
