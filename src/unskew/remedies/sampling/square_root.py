"""Square-root sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.remedies.base import Draw, Facts, Remedy
from unskew.remedies.options import option
from unskew.remedies.sampling.class_draws import class_probability, draw_by_class


@dataclass(frozen=True)
class SquareRootSampling(Remedy):
    """Classes are drawn in proportion to the square root of their images, or another power.

    p_j = n_j^q / Σ n_i^q (Kang et al. 2020, equation 1; Mahajan et al. 2018 for q = 1/2).

    Attributes
    ----------
    q: 1 leaves the data as they are, 0 is class-balanced sampling.
    """

    name = "square_root_sampling"
    corrects_prior = True

    q: float = option(0.5, at_least=0, at_most=1)

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        return Draw(draw_by_class(facts, class_probability(facts.counts, self.q), rng))
