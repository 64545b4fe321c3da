"""The kept losses: one file a network, one line a remedy; and how near to them is near enough."""

import json
from pathlib import Path

from tests.golden.runs import NETWORKS

FOLDER = Path(__file__).parent
DIGITS = 6
"""Significant ones; a seventh would be another on the next processor."""


def path(network: str) -> Path:
    return FOLDER / f"{network}.json"


def read(network: str) -> dict[str, list[float]]:
    """Losses by remedy; empty if nothing is kept."""
    file = path(network)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def write(network: str, losses: dict[str, list[float]]) -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(losses[name])}" for name in sorted(losses)]
    path(network).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def rounded(losses: list[float]) -> list[float]:
    return [float(f"{loss:.{DIGITS}g}") for loss in losses]


def tolerance(network: str, step: int) -> float:
    """How far a loss may lie from the kept one, absolutely below 1 and relatively above.

    Set from the same runs with initial weights moved by a rounding error, with two threads, and
    with PyTorch, oneDNN and MKL held to AVX2 and to SSE. Losses of networks without kinks moved by
    no more than 2e-5. Those of the kinked ones moved by less than 1e-5 in most runs, but where an
    activation crossed its kink by 1e-3 in the next step and up to 1e-2 later.
    """
    return 1e-5 + 1e-3 * step if NETWORKS[network].kinked else 1e-4


def first_apart(network: str, found: list[float], kept: list[float]) -> int | None:
    """The first step, from 0, whose loss is not near enough; None if all are."""
    for step, (one, other) in enumerate(zip(found, kept, strict=True)):
        if not abs(one - other) <= tolerance(network, step) * max(abs(other), 1):
            return step
    return None
