"""What a network's whitening layer is told of the training images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unskew.data.batches import View
from unskew.data.patches import patch_second_moment
from unskew.models.whitening import whitening_of


def fit_whitening(
    network: nn.Module, train: View, mean: NDArray[np.float32], std: NDArray[np.float32]
) -> None:
    """Set the filters of the network's whitening layer, if it has one, from the images to train on.

    Parameters
    ----------
    train: the images after skew, without what is held out.
    mean, std: with which the network's inputs will be normalised, float32 (3,), in 0..255.
    """
    layer = whitening_of(network)
    if layer is not None:
        layer.whiten(torch.from_numpy(patch_second_moment(train, mean, std, layer.patch)))
