"""Post-hoc adjustment to a prior estimated by expectation maximisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unskew.remedies.base import Adjustment, Facts, HeldOut, Remedy
from unskew.remedies.posthoc.priors import estimated, shown, to_prior

MAX_ROUNDS = 10_000
TOLERANCE = 1e-8


@dataclass(frozen=True)
class PosthocEM(Remedy):
    """Logits adjusted to the class prior that the unlabelled images to be predicted seem to have.

    The prior is the maximum-likelihood estimate of Saerens et al. 2002 (their equation 2.9), from
    the network's probabilities and the training prior. It is only as good as these are
    calibrated (Alexandari et al. 2020): `temperature_scaling+posthoc_em` first makes them so. It
    looks at all images to be predicted together, so one prediction depends on the others.
    """

    name = "posthoc_em"
    corrects_prior = True

    def adjustment(self, facts: Facts, held_out: HeldOut) -> Adjustment:
        logits = held_out.unlabelled.double().numpy()
        prior, settled = estimate_prior(logits, facts.prior)
        note = f"class prior estimated by EM: {shown(prior)}"
        if not settled:
            note += f", still on the move after {MAX_ROUNDS:,} rounds"
        return to_prior(facts, estimated(prior), note=note)


def estimate_prior(
    logits: NDArray[np.float64], train_prior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], bool]:
    """The class prior q under which the images are most likely, by EM.

    E: p(k|x) ∝ (q_k/π_k)·softmax(z)_k; M: q_k = mean of p(k|x); from q = π until no share moves by
    1e-8. The likelihood is concave in q, so what it finds is the maximum.

    Parameters
    ----------
    logits: float64 (T, K), of a network trained at the prior π.
    train_prior: π, float64 (K,); classes with π_k = 0 are left out and get q_k = 0.

    Returns
    -------
    q, float64 (K,), which sums to 1; and whether it has settled within MAX_ROUNDS.
    """
    seen = train_prior > 0
    ratios = logits[:, seen] - np.log(train_prior[seen])
    # An image's own factor cancels in its posterior: with the largest ratio at 1 nothing overflows,
    # and a round is two products with one matrix.
    ratios = np.exp(ratios - ratios.max(axis=1, keepdims=True))
    q, settled = train_prior[seen].copy(), False
    for _ in range(MAX_ROUNDS):
        before, q = q, q * ((1 / (ratios @ q)) @ ratios) / len(ratios)
        settled = bool(np.abs(q - before).max() < TOLERANCE)
        if settled:
            break
    estimate = np.zeros(len(train_prior))
    estimate[seen] = q
    return estimate, settled
