"""What this machine can do: the rate of its matrix products and of its memory, measured."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

SIZES = (512, 1024, 1536, 2048, 3072)
"""Of square matrices."""
CONVOLUTION = "3×3 convolution"
LARGE = 256 << 20
"""Bytes that no cache holds."""
SECONDS = 0.05
"""At least so long a rate is measured, and at least two rounds."""

Rates = dict[tuple[str, str], float]
"""Multiply-adds a second by (number format, side of the matrices or CONVOLUTION), the best of which
counts as the peak; bytes a second by ("copy", bytes)."""


def probe(formats: list[str], kept: list[int]) -> Callable[[int], Rates]:
    """What measures this process's rates when it is called.

    Parameters
    ----------
    formats: of products, as torch names them: "bfloat16", "float32".
    kept: bytes that a step of training keeps; copying so many may be faster than copying LARGE
        ones, since caches hold part of them.
    """

    def rates(_: int) -> Rates:
        found: Rates = {}
        for name in formats:
            dtype = getattr(torch, name)
            found |= {(name, str(size)): matrix_rate(dtype, size) for size in SIZES}
            found[name, CONVOLUTION] = convolution_rate(dtype)
        return found | {("copy", str(size)): copy_rate(size) for size in (*kept, LARGE)}

    return rates


def matrix_rate(dtype: torch.dtype, size: int) -> float:
    """Multiply-adds per second of a square matrix product."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    return size**3 * _rounds_per_second(lambda: a @ b)


@torch.no_grad()
def convolution_rate(dtype: torch.dtype) -> float:
    """Multiply-adds per second of a convolution that suits the processor well.

    Libraries write these apart from matrix products, and at times better.
    """
    batch, channels, side = 100, 128, 16
    images, filters = (
        torch.randn(count, channels, height, height).to(dtype).to(memory_format=torch.channels_last)
        for count, height in ((batch, side), (channels, 3))
    )
    products = batch * side**2 * channels**2 * 9
    return products * _rounds_per_second(lambda: F.conv2d(images, filters, padding=1))


def copy_rate(size: int) -> float:
    """Bytes per second, read and written, of copying between two buffers of `size` together."""
    source = torch.zeros(size // 2, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * len(source) * _rounds_per_second(lambda: target.copy_(source))


def _rounds_per_second(do: Callable[[], object]) -> float:
    do()
    rounds, begin = 0, time.perf_counter()
    while rounds < 2 or time.perf_counter() - begin < SECONDS:
        do()
        rounds += 1
    return rounds / (time.perf_counter() - begin)
