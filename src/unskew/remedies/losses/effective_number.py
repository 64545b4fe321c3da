"""Classes weighted by the inverse of their effective number of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unskew.remedies.base import Facts, Remedy
from unskew.remedies.counts import at_least_one, weights_of_mean_one
from unskew.remedies.options import option


def inverse_effective_number(counts: NDArray[np.float64], beta: float) -> NDArray[np.float64]:
    """1 / E_n = (1 - β) / (1 - βⁿ), float64 (K,); Cui et al. 2019, proposition 1.

    Written with expm1: for β close to 1, 1 - βⁿ would lose its digits.
    """
    if beta == 0:
        return np.ones_like(counts)
    return (1 - beta) / -np.expm1(counts * np.log(beta))


@dataclass(frozen=True)
class EffectiveNumber(Remedy):
    """Losses weighted by one over the effective number of images of the example's class.

    w_c ∝ (1 - β) / (1 - β^{n_c}): the class-balanced loss (Cui et al. 2019, section 4). The
    batch's weighted sum is divided by the sum of its weights, as in PyTorch and in the code of
    Cao et al. 2019; the authors' own divides by the number of images. Together with `focal` it is
    the paper's class-balanced focal loss, but for the softmax and that divisor.

    Attributes
    ----------
    beta: β; 0 leaves all classes equal, towards 1 the weights become those of
        `inverse_frequency`. The paper tries 0.9, 0.99, 0.999 and 0.9999; the last is its best
        on long-tailed CIFAR-10.
    """

    name = "effective_number"
    side_by_side = True
    corrects_prior = True

    beta: float = option(0.9999, at_least=0, below=1)

    def class_weights(self, facts: Facts, epoch: int) -> Tensor:
        return weights_of_mean_one(inverse_effective_number(at_least_one(facts), self.beta), facts)
