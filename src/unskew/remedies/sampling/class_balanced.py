"""Class-balanced sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.remedies.base import Draw, Facts, Remedy
from unskew.remedies.sampling.class_draws import class_probability, draw_by_class


@dataclass(frozen=True)
class ClassBalancedSampling(Remedy):
    """Each image's class is drawn with equal probability, then an image of that class.

    p_j = 1/K, q = 0 of Kang et al. 2020, equation 1, over the classes that have images. An epoch
    stays as long as the training set, as theirs.
    """

    name = "class_balanced_sampling"
    corrects_prior = True

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        return Draw(draw_by_class(facts, class_probability(facts.counts, 0), rng))
