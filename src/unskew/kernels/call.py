"""Calling a C function with tensors."""

from __future__ import annotations

import ctypes
from typing import Any

from torch import Tensor

from unskew.kernels.layout import new_bytes
from unskew.kernels.library import load

LINE = 64
"""Bytes that caches move at once."""


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


def room(library: str, parts: int, *sizes: ctypes.c_int64) -> tuple[Tensor, ctypes.c_int64]:
    """What a kernel needs beside its results while it runs: memory for `parts` threads, each of as
    many bytes as the C function `room_needed` says of `sizes`, in whole lines of the cache; and
    that number.
    """
    each = -(-ask(library, "room_needed", *sizes) // LINE) * LINE
    return new_bytes(parts, each), ctypes.c_int64(each)


def _function(library: str, function: str) -> Any:
    built = load(library).functions
    assert built is not None
    return getattr(built, function)
