"""MaxNorm on the classifier's weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from unskew.remedies.base import Facts, Remedy
from unskew.remedies.options import option
from unskew.remedies.regularisation.norms import shorten


@dataclass(frozen=True)
class MaxNorm(Remedy):
    """After each step, each class's classifier weights are shortened to a largest length.

    min L(Θ) subject to ‖θ_k‖ ≤ δ for all classes k, by projected gradient descent (Alshammari
    et al. 2022, section 4; Hinton et al. 2012). Small classes' weights may stay shorter.

    Attributes
    ----------
    delta: δ. The paper chooses it on validation; its public code sets it between the shortest
        and the longest class of a trained classifier, as `weight_balancing` does here.
    """

    name = "max_norm"
    acts_on_lengths = True

    delta: float = option(1.0, above=0)

    def after_step(self, network: nn.Module, facts: Facts, epoch: int) -> None:
        shorten(network, self.delta)
