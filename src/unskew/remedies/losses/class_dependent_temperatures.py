"""Temperatures that are higher for rare classes while training."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.remedies.base import ExampleLoss, Facts, Remedy
from unskew.remedies.losses.adjusted import adjusted_cross_entropy
from unskew.remedies.options import option


@dataclass(frozen=True)
class ClassDependentTemperatures(Remedy):
    """Cross-entropy of logits divided by a temperature that is higher for rare classes (CDT).

    -log softmax(z / a)_y with a_c = (n_max / n_c)^γ (Ye et al. 2020): to fit a
    rare class the network must raise its logit further, which the undivided logits at
    prediction keep.

    Attributes
    ----------
    gamma: γ; 0 is cross-entropy. The paper chooses it on held-out images for each data set;
        0.2 is what Zhang et al. 2021, "Bag of tricks", take.
    """

    name = "class_dependent_temperatures"
    side_by_side = True
    corrects_prior = True

    gamma: float = option(0.2, at_least=0)

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss:
        return adjusted_cross_entropy(facts, self.gamma, tau=0.0)
