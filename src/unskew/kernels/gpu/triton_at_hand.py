"""Whether Triton's kernels can be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

_wanted = True


@contextmanager
def wanting(kernels: bool) -> Iterator[None]:
    """Whether kernels are to be used in this block, its backward passes included; of the process,
    as PyTorch's own switches are.
    """
    global _wanted
    before, _wanted = _wanted, kernels
    try:
        yield
    finally:
        _wanted = before


def takes(tensor: Tensor) -> bool:
    """Whether kernels are for a tensor like this one: on a GPU, where Triton can compile.

    With `TRITON_INTERPRET=1`, Triton's own way to run kernels as NumPy code, on a CPU as well.
    """
    return _wanted and not why_not(tensor.device)


def why_not(device: torch.device) -> str:
    """Why there are no kernels on this device, for people; empty where there are."""
    if os.environ.get("UNSKEW_KERNELS") == "off":
        return "UNSKEW_KERNELS is off"
    if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return "no GPU"
    return _untried(device)


@cache
def _untried(device: torch.device) -> str:
    """Triton may be there and not a C compiler, which it calls for each kernel's launcher."""
    if find_spec("triton") is None:
        return "Triton is not installed"
    try:
        from unskew.kernels.gpu.in_triton.trial import tried

        return "" if tried(device) else "Triton's kernels compute something else"
    except Exception as error:  # whatever a compiler that fails raises
        told = str(error).strip() or type(error).__name__
        return f"Triton cannot compile: {told.splitlines()[0]}"
