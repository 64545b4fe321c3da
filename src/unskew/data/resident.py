"""One copy of a set's pixels on an accelerator, however many runs draw from it."""

from __future__ import annotations

import weakref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.data.as_tensor import as_tensor

_held: dict[tuple[int, str], Tensor] = {}


def resident(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The images, uint8 (N, H, W, C), on the device; moved there once for as long as they live.

    Parameters
    ----------
    images: an array or a memory map; who asks again with the same object gets the same copy.
    """
    key = id(images), str(device)
    if key not in _held:
        _held[key] = as_tensor(np.ascontiguousarray(images)).to(device)
        weakref.finalize(images, _held.pop, key, None)
    return _held[key]
