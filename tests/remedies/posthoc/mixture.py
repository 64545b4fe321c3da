"""Images whose true posterior is known: unit Gaussians around one centre a class."""

import numpy as np
import torch

from unskew.data.randomness import stream

CENTRES = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])


def sample(prior, count, seed):
    """(points (count, 2), labels (count,)) under a class prior."""
    rng = stream(seed, "mixture")
    labels = rng.choice(len(prior), size=count, p=prior)
    return CENTRES[labels] + rng.normal(size=(count, 2)), labels


def perfect_logits(points, prior):
    """Logits of the best classifier for points drawn under `prior`, float64 tensor."""
    squared = ((points[:, None] - CENTRES) ** 2).sum(2)
    with np.errstate(divide="ignore"):
        return torch.from_numpy(-0.5 * squared + np.log(prior))
