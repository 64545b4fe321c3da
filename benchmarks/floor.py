"""The least time that this machine could train an image in, from its measured rates."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from machine import LARGE, Rates
from work import Work

WIDTHS = {"bfloat16": 2, "float32": 4}
"""Bytes of a number in each format that products are measured in."""


@dataclass(frozen=True)
class Floor:
    """For products in one number format.

    Attributes
    ----------
    products, bytes_moved: of one image, forward and backward.
    matrix_rate: multiply-adds per second of the best product, and `matrix_size`, the side of its
        matrices or that it was a convolution.
    memory_rate: bytes per second of the faster of the two copies.
    """

    precision: str
    products: int
    bytes_moved: float
    matrix_rate: float
    matrix_size: str
    memory_rate: float

    @property
    def arithmetic(self) -> float:
        """Seconds an image for its products alone."""
        return self.products / self.matrix_rate

    @property
    def moving(self) -> float:
        """Seconds an image for moving its bytes alone."""
        return self.bytes_moved / self.memory_rate

    @property
    def images_per_second(self) -> float:
        """Both at once, each hidden behind the other."""
        return 1 / max(self.arithmetic, self.moving)


def floor(work: Work, precision: str, batch: int, measured: list[Rates]) -> Floor:
    """The floor by the medians of what was measured, several times, all processes added up."""
    medians = {key: statistics.median(rates[key] for rates in measured) for key in measured[0]}
    matrix_rate, size = max((rate, n) for (kind, n), rate in medians.items() if kind == precision)
    memory_rate = max(rate for (kind, _), rate in medians.items() if kind == "copy")
    moved = work.bytes_moved(WIDTHS[precision], batch)
    return Floor(precision, work.products, moved, matrix_rate, size, memory_rate)


def added(parts: list[Rates]) -> Rates:
    """The rates of processes that were measured at once."""
    return {key: sum(rates[key] for rates in parts) for key in parts[0]}


def told(floors: list[Floor], work: Work, measured: list[Rates]) -> list[str]:
    """The floors and their parts as lines of a table, one column a format."""
    large = statistics.median(rates["copy", str(LARGE)] for rates in measured) / 1e9
    rows = {
        "multiply-adds an image, millions": [f"{f.products / 1e6:,.1f}" for f in floors],
        "bytes moved an image, thousands": [f"{f.bytes_moved / 1e3:,.0f}" for f in floors],
        "matrix products, 10⁹ a second": [f"{f.matrix_rate / 1e9:,.0f}" for f in floors],
        "  at best with sides of": [f.matrix_size for f in floors],
        "memory, 10⁹ bytes a second": [f"{f.memory_rate / 1e9:,.1f}" for f in floors],
        "arithmetic, µs an image": [f"{f.arithmetic * 1e6:,.0f}" for f in floors],
        "moving, µs an image": [f"{f.moving * 1e6:,.0f}" for f in floors],
        "floor, images/s": [f"{f.images_per_second:,.0f}" for f in floors],
        "an epoch of 50,000, s, at least": [f"{50e3 / f.images_per_second:,.1f}" for f in floors],
    }
    lines = [f"{'':34}" + "".join(f"{f.precision:>16}" for f in floors)]
    lines += [f"{name:34}" + "".join(f"{cell:>16}" for cell in row) for name, row in rows.items()]
    lines.append(
        f"(forward {work.forward / 1e6:,.1f} million; memory alone, without caches: {large:,.1f})"
    )
    return lines
