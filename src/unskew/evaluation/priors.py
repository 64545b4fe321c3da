"""What a classifier is worth where the classes come in other shares than in the test set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.evaluation.probabilities import log_softmax


def tilted_prior(counts: NDArray[np.int64], power: float) -> NDArray[np.float64]:
    """The prior in which class k has a share in proportion to counts_k ^ power, float64 (K,).

    Power 1 is the prior of the counts, 0 the uniform one, and -1 the counts' reversed: the class
    that was rarest is then as frequent as the most frequent one was. A step or exponential skew
    at -1 is the same skew with its classes in reverse. A class without images counts as one.

    Parameters
    ----------
    counts: int64 (K,), training images of each class.
    """
    # Through logarithms, and from the largest, so that no power of a large count overflows.
    exponents = power * np.log(np.maximum(counts, 1))
    weights = np.exp(exponents - exponents.max())
    prior: NDArray[np.float64] = weights / weights.sum()
    return prior


def log_loss_under_prior(
    logits: NDArray[np.float64], labels: NDArray[np.int64], prior: NDArray[np.float64]
) -> float:
    """Negative log-likelihood to expect, in nats, where the classes come with another prior.

    The sum over classes of prior_k times the mean of -log p(k) over the images of class k. Like
    `accuracy_under_prior` it holds where only the prior changes (label shift; Saerens et al.
    2002). The probabilities are taken as they are; to move them to a known prior first, see the
    remedy `posthoc_logit_adjustment` and its `target`.

    Parameters
    ----------
    logits: float64 (N, K).
    labels: int64 (N,).
    prior: float64 (K,), non-negative; scaled to sum to 1 over the classes that have images.

    Raises
    ------
    ValueError: the prior gives no weight to any class that has images.
    """
    classes = logits.shape[1]
    losses = -log_softmax(logits)[np.arange(len(labels)), labels]
    support = np.bincount(labels, minlength=classes)
    means = np.bincount(labels, weights=losses, minlength=classes) / np.maximum(support, 1)
    return float(means @ over_present(prior, support))


def over_present(prior: NDArray[np.float64], support: NDArray[np.int64]) -> NDArray[np.float64]:
    """A prior scaled to sum to 1 over the classes that have images, 0 for the others.

    Parameters
    ----------
    prior: float64 (K,), non-negative.
    support: int64 (K,), evaluated images of each class.

    Raises
    ------
    ValueError: nothing is left to scale, or it is no prior.
    """
    if prior.shape != support.shape or not np.isfinite(prior).all() or (prior < 0).any():
        raise ValueError(f"a prior must be {len(support)} finite shares, none below 0")
    weights = np.where(support > 0, prior, 0.0)
    total = weights.sum()
    if not total > 0:
        raise ValueError("the prior gives no weight to any class that has images")
    scaled: NDArray[np.float64] = weights / total
    return scaled
