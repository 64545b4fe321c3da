"""Post-hoc adjustment to a prior estimated from a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unskew.remedies.base import Adjustment, Facts, HeldOut, Remedy
from unskew.remedies.posthoc.priors import estimated, shown, to_prior


@dataclass(frozen=True)
class PosthocBBSE(Remedy):
    """Logits adjusted to the class prior that explains how often each class is predicted.

    Black-box shift estimation (Lipton et al. 2018): the confusion matrix of a tenth of the
    training images, held out, tells how often an image of class j is called i; the prior q that
    turns this into the frequencies predicted on the unlabelled images is the estimate. It needs
    no calibration. The tenth is not trained on.
    """

    name = "posthoc_bbse"
    corrects_prior = True
    held_out = 0.1

    def adjustment(self, facts: Facts, held_out: HeldOut) -> Adjustment:
        assert held_out.logits is not None
        assert held_out.labels is not None
        prior = estimate_prior(
            held_out.logits.argmax(dim=1).numpy(),
            held_out.labels.numpy(),
            held_out.unlabelled.argmax(dim=1).numpy(),
            facts.prior,
        )
        note = f"class prior estimated by BBSE: {shown(prior)}"
        return to_prior(facts, estimated(prior), note=note)


def estimate_prior(
    predicted: NDArray[np.int64],
    labels: NDArray[np.int64],
    unlabelled: NDArray[np.int64],
    train_prior: NDArray[np.float64],
) -> NDArray[np.float64]:
    """q with A·q = μ, A_ij = P(ŷ = i | y = j) from held-out images, μ_i = P(ŷ = i) unlabelled.

    The paper solves for w = q/p with A_ij·p_j instead, which is the same equation; this form
    does not need the held-out images to have the training prior. Least squares where A is
    singular; as in the paper's code, negative shares are cut to 0. Classes with no held-out
    image (a class of one image keeps it for training) have no column: they keep their share of
    the training prior.

    Parameters
    ----------
    predicted, labels: int64 (M,), of the held-out images.
    unlabelled: int64 (T,), predictions.
    train_prior: float64 (K,).

    Returns
    -------
    q, float64 (K,); sums to 1.
    """
    classes = len(train_prior)
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (predicted, labels), 1)
    support = confusion.sum(axis=0)
    known = support > 0
    frequencies = np.bincount(unlabelled, minlength=classes) / len(unlabelled)
    prior = train_prior.copy()
    if known.any():
        columns = confusion[:, known] / support[known]
        solved, *_ = np.linalg.lstsq(columns, frequencies, rcond=None)
        shares = np.maximum(solved, 0)
        if shares.sum() > 0:
            prior[known] = shares / shares.sum() * (1 - prior[~known].sum())
    return prior / prior.sum()
