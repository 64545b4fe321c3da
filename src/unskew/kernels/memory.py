"""Letting a training process keep the memory that it frees."""

from __future__ import annotations

import ctypes
import ctypes.util
import sys

HEAP = 512 << 20
"""Bytes of heap asked for in huge pages; untouched ones cost nothing."""
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h
_HUGE = 14  # MADV_HUGEPAGE, asm-generic/mman-common.h
_PAGE = 2 << 20


def keep_freed_memory() -> bool:
    """Serve large allocations from a heap that is never given back; True where it worked.

    As it comes, glibc maps every large tensor anew and unmaps it when it is freed, so each step
    touches thousands of fresh pages, which the system clears one by one: some 8 of 74 ms in a
    step of the cnn. For a process that trains and ends; it is of no use to call it twice. Does
    nothing where the C library is not glibc.
    """
    if sys.platform != "linux":
        return False
    try:
        libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6")
        libc.gnu_get_libc_version  # noqa: B018  (only glibc has it)
    except (OSError, AttributeError):
        return False
    limit = ctypes.c_int(2**31 - 1)
    set_option = libc.mallopt
    # Before 2.35 no threshold above half a heap, 32 MiB, was taken.
    threshold = set_option(_MMAP_THRESHOLD, 1 << 30) or set_option(_MMAP_THRESHOLD, 32 << 20)
    if not (threshold and set_option(_TRIM_THRESHOLD, limit)):
        return False
    set_option(_TOP_PAD, _PAGE)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    # Grow the heap once and hand it back to the allocator: what follows is cut from it.
    block = libc.malloc(HEAP)
    if block:
        begin = -(-block // _PAGE) * _PAGE
        libc.madvise(begin, (block + HEAP - begin) // _PAGE * _PAGE, _HUGE)
        libc.free(block)
    return True
