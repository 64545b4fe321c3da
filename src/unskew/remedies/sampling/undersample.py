"""Random undersampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.data.randomness import stream
from unskew.remedies.base import Draw, Facts, Remedy


@dataclass(frozen=True)
class Undersample(Remedy):
    """Majority images left out until every class is as small as the smallest.

    Random undersampling (Buda et al. 2018). An epoch shows K times the smallest
    class's images, so it costs a fraction of a plain epoch and takes as few steps; classes
    without images do not count as the smallest.

    Attributes
    ----------
    fresh: choose the images anew each epoch, so that none is lost for good; the paper chooses
        them once.
    """

    name = "undersample"
    corrects_prior = True

    fresh: bool = False

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        choice = rng if self.fresh else stream(facts.seed, "undersample")
        smallest = int(facts.counts[facts.counts > 0].min())
        kept = [
            choice.permutation(np.flatnonzero(facts.labels == k))[:smallest]
            for k in np.flatnonzero(facts.counts)
        ]
        return Draw(rng.permutation(np.concatenate(kept)).astype(np.int64))
