"""Progressively balanced sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.remedies.base import Draw, Facts, Remedy
from unskew.remedies.sampling.class_draws import class_probability, draw_by_class


@dataclass(frozen=True)
class ProgressivelyBalanced(Remedy):
    """Sampling that goes from image by image to class by class as training proceeds.

    p_j(t) = (1 - t/T) · n_j/N + (t/T) · 1/K (Kang et al. 2020, equation 2), with t from 0 in the
    first epoch to T in the last; the paper leaves open whether t reaches T, its public code
    steps from 0 to 1 as here. A run of one epoch draws image by image.
    """

    name = "progressively_balanced"
    corrects_prior = True
    gradual = True

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        # Beyond the last epoch that was announced, as a loop of one's own may go, it stays.
        t = min(epoch / max(facts.epochs - 1, 1), 1.0)
        by_image, by_class = (class_probability(facts.counts, q) for q in (1, 0))
        return Draw(draw_by_class(facts, (1 - t) * by_image + t * by_class, rng))
