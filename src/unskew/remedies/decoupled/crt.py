"""Classifier re-training (cRT)."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.remedies.base import Remedy, Stage
from unskew.remedies.decoupled.two_stages import two_stages
from unskew.remedies.options import option
from unskew.remedies.sampling.class_balanced import ClassBalancedSampling


@dataclass(frozen=True)
class ClassifierRetraining(Remedy):
    """The classifier is drawn anew and trained on class-balanced samples, features frozen.

    Kang et al. 2020, section 4.1, "cRT". Frozen features are computed as at prediction, BatchNorm
    included; the public code leaves BatchNorm in training mode, so its features still move. The
    paper adds 10 epochs to 90; here both stages share the run's epochs.

    Attributes
    ----------
    share: of the run's epochs for the classifier, one epoch at least.
    """

    name = "crt"
    corrects_prior = True

    share: float = option(0.1, above=0, below=1)

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        return two_stages(
            self.name,
            epochs,
            self.share,
            second="classifier",
            remedy=ClassBalancedSampling(),
            reset_classifier=True,
        )
