"""Whether Triton's kernels can be used for a tensor."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

from torch import Tensor


def takes(tensor: Tensor) -> bool:
    """Whether kernels are for a tensor like this one: on a GPU, where Triton is installed.

    With `TRITON_INTERPRET=1`, Triton's own way to run kernels as NumPy code, on a CPU as well.
    """
    if os.environ.get("UNSKEW_KERNELS") == "off" or not _installed():
        return False
    return tensor.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"


@cache
def _installed() -> bool:
    return find_spec("triton") is not None
