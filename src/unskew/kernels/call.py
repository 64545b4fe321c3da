"""Calling a C function with tensors."""

from __future__ import annotations

import ctypes
from typing import Any

from torch import Tensor

from unskew.kernels.library import load


def call(library: str, function: str, *arguments: Any) -> None:
    """Call a kernel; tensors are passed by their address, None as NULL, whole numbers as they are.

    The caller sees to it that tensors are contiguous, of the dtype the kernel reads, and alive.
    A whole number is passed as a C int unless it comes as a ctypes value.
    """
    _function(library, function)(
        *(ctypes.c_void_p(a.data_ptr()) if isinstance(a, Tensor) else a for a in arguments)
    )


def ask(library: str, function: str, *sizes: ctypes.c_int64) -> int:
    """What a C function says that takes and returns 64-bit whole numbers."""
    asked = _function(library, function)
    asked.restype = ctypes.c_int64
    return int(asked(*sizes))


def _function(library: str, function: str) -> Any:
    built = load(library).functions
    assert built is not None
    return getattr(built, function)
