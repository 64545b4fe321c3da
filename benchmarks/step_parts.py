"""Which part of a training step an event of PyTorch's profiler belongs to."""

from __future__ import annotations

import re
from typing import Any

REST = "rest"

_SCOPES = {"optimiser": r"Optimizer\.", "batch making": r"batch making"}
"""Events within which everything belongs to one part."""

_NAMES = {
    "products": r"[Cc]onv|mm$|linear|rnn_layer|lstm|_Layer",
    "norm, ReLU, pool": r"batch_norm|relu|clamp_min|threshold|pool|_Training|_Affine|NormRelu",
    "loss": r"nll|log_softmax|cross_entropy",
    "batch making": r"aten::(index|index_put_|_index_put_impl_|flip|rand|randperm|nonzero)$",
    "copies between formats": r"aten::(copy_|_to_copy|to|contiguous|clone)$",
}
"""The rest by their own names. The package's kernels bear those of their autograd functions."""

_TWO_WAYS = ("products", "norm, ReLU, pool")

PARTS = (
    "products forward",
    "products backward",
    "norm, ReLU, pool forward",
    "norm, ReLU, pool backward",
    "batch making",
    "optimiser",
    "loss",
    "copies between formats",
)


def part_of(event: Any) -> str:
    """One of PARTS, or REST."""
    above = _with_parents(event)
    for part, pattern in _SCOPES.items():
        if any(re.match(pattern, name) for name in above):
            return part
    for part, pattern in _NAMES.items():
        if re.search(pattern, event.name):
            if part not in _TWO_WAYS:
                return part
            return f"{part} {'backward' if any(map(_is_backward, above)) else 'forward'}"
    return REST


def _is_backward(name: str) -> bool:
    return name.startswith("autograd::engine") or name.lower().endswith("backward")


def _with_parents(event: Any) -> list[str]:
    names = []
    while event is not None:
        names.append(event.name)
        event = event.cpu_parent
    return names
