"""The least time that the machine's arithmetic allows a network's training."""

from __future__ import annotations

import time

import torch

from unskew.models.registry import build
from unskew.models.summary import summarise


def matrix_rate(dtype: torch.dtype, size: int = 1536, times: int = 8) -> float:
    """Multiply-adds per second of a square matrix product, the machine's practical peak."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    a @ b
    begin = time.perf_counter()
    for _ in range(times):
        a @ b
    return size**3 * times / (time.perf_counter() - begin)


def products_per_image(model: str) -> int:
    """Multiply-adds of one image forward and backward, backward counted as twice the forward."""
    return 3 * sum(row.multiply_adds for row in summarise(build(model, 10)))
