"""A set's pixels as a tensor, where they lie."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """The same memory as a tensor, which nothing here writes to.

    A cache hands out maps that cannot be written, of which PyTorch would warn.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(pixels)
