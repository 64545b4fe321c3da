"""L2-normalised classifier weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from unskew.remedies.base import Facts, Remedy
from unskew.remedies.options import option
from unskew.remedies.regularisation.norms import set_length


@dataclass(frozen=True)
class L2Normalised(Remedy):
    """After each step, every class's classifier weights are scaled to the same length.

    min L(Θ) subject to ‖θ_k‖₂ = 1 for all classes k, by projected gradient descent (Alshammari
    et al. 2022, section 4). Features and bias are left as they are.

    Attributes
    ----------
    length: the paper's 1.
    """

    name = "l2_normalised"
    acts_on_lengths = True
    sets_lengths = True

    length: float = option(1.0, above=0)

    def after_step(self, network: nn.Module, facts: Facts, epoch: int) -> None:
        set_length(network, self.length)
