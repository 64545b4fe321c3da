"""From one class prior to another: the shift of logits that Bayes' rule asks for."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from unskew.remedies.base import Adjustment, Facts

SMALLEST = 1e-6
"""A class's estimated share is not taken for smaller: an estimate of 0 says that few are there."""

TINY = float(np.finfo(np.float64).tiny)
"""Nor is any share: its logarithm must stay finite."""


def to_prior(
    facts: Facts, target: NDArray[np.float64], tau: float = 1.0, note: str = ""
) -> Adjustment:
    """Logits of a network trained at the training set's prior π, moved to the prior `target`.

    z_k + τ·(log q_k - log π_k): Bayes' rule where the images within each class are alike in
    training and use (label shift; Saerens et al. 2002, equation 2.4; Menon et al. 2021,
    equation 9, for uniform q). A class without training images has no π_k to correct for and its
    logit says nothing; it is moved like the class that is moved least, so that the correction
    does not favour it over any class that was seen.

    Parameters
    ----------
    target: q, float64 (K,).
    tau: τ, strength; 1 is Bayes' rule.
    """
    seen = facts.counts > 0
    target = np.maximum(target, TINY)
    shift = np.zeros(facts.num_classes)
    shift[seen] = tau * (np.log(target[seen]) - np.log(facts.prior[seen]))
    shift[~seen] = shift[seen].min()
    return Adjustment(torch.ones(len(shift)), torch.from_numpy(shift).float(), note)


def estimated(prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """An estimated prior as a target: no class is taken for gone."""
    return np.maximum(prior, SMALLEST)


def shown(prior: NDArray[np.float64]) -> str:
    """A prior in words: "0.1, 0.25, 0.65"."""
    return ", ".join(f"{share:.3g}" for share in prior)
