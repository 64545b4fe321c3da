"""Post-hoc logit adjustment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unskew.errors import UserError
from unskew.remedies.base import Adjustment, Facts, HeldOut, Remedy
from unskew.remedies.options import option
from unskew.remedies.posthoc.priors import shown, to_prior


@dataclass(frozen=True)
class PosthocLogitAdjustment(Remedy):
    """Trained plainly; at prediction the training prior is taken out of the logits.

    argmax_k z_k - τ·log π_k (Menon et al. 2021, equation 9), for use where classes are equally
    frequent, or, with `target` q, z_k + τ·(log q_k - log π_k) for any other known frequencies.
    At τ = 1 the logits' softmax is the posterior under q if it was calibrated under π.

    Attributes
    ----------
    tau: τ, strength; 0 changes nothing.
    target: q, one share a class in the order of the classes, in any unit; empty: uniform.
    """

    name = "posthoc_logit_adjustment"
    corrects_prior = True

    tau: float = option(1.0, at_least=0)
    target: tuple[float, ...] = option((), above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "even", not self.target)

    def check(self, facts: Facts) -> None:
        if self.target and len(self.target) != facts.num_classes:
            raise UserError(
                f"remedy {self.name!r}: target has {len(self.target)} numbers and there are "
                f"{facts.num_classes} classes: give one each"
            )

    def adjustment(self, facts: Facts, held_out: HeldOut) -> Adjustment:
        shares = np.array(self.target or (1.0,) * facts.num_classes)
        prior = shares / shares.sum()
        words = shown(prior) if self.target else "uniform"
        return to_prior(facts, prior, self.tau, f"logits adjusted to the class prior: {words}")
