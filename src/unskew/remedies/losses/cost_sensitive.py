"""Classes weighted by what their errors cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from unskew.errors import UserError
from unskew.remedies.base import Facts, Remedy
from unskew.remedies.counts import at_least_one, check_weights, weights_of_mean_one
from unskew.remedies.options import option


@dataclass(frozen=True)
class CostSensitive(Remedy):
    """Cross-entropy weighted by a cost per class: given ones, a power of the rarity, or both.

    w_c ∝ cost_c · (n_min / n_c)^γ (Japkowicz & Stephen 2002; the form with γ is that of Zhang et
    al. 2021, "Bag of tricks"). At γ = 1 without costs it is
    `inverse_frequency`; γ = 1/2 is the usual half-way.

    Attributes
    ----------
    gamma: γ; 0 leaves the sizes of the classes out of account.
    costs: of an error on an image of each class, in the order of the classes and in any unit;
        empty: all alike.
    """

    name = "cost_sensitive"
    side_by_side = True
    corrects_prior = True

    gamma: float = option(1.0, at_least=0)
    costs: tuple[float, ...] = option((), above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        # On the instance, over the class attribute: costs alone know of no prior.
        object.__setattr__(self, "corrects_prior", self.gamma > 0)

    def check(self, facts: Facts) -> None:
        if self.costs and len(self.costs) != facts.num_classes:
            raise UserError(
                f"remedy 'cost_sensitive': {len(self.costs)} costs are given for "
                f"{facts.num_classes} classes"
            )
        check_weights(self.name, lambda: self.class_weights(facts, 0))

    def class_weights(self, facts: Facts, epoch: int) -> Tensor:
        costs = np.array(self.costs or (1.0,) * facts.num_classes)
        sizes = at_least_one(facts)
        # Over the smallest class that has images, so that no large γ makes all weights vanish.
        least = sizes[facts.counts > 0].min()
        rarity = (least / np.maximum(sizes, least)) ** self.gamma
        return weights_of_mean_one(costs * rarity, facts)
