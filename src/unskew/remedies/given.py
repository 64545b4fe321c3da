"""What a training loop of one's own hands to a remedy, checked.

Each function raises a UserError that names what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from unskew.data.whole import whole_numbers
from unskew.errors import UserError
from unskew.remedies.base import Facts, Remedy
from unskew.remedies.registry import make_remedy

Options = Mapping[str, Mapping[str, Any]]
"""Values of remedies' fields, by remedy and field."""

MOST_CLASSES = 10**6
MOST_IMAGES = 10**8
"""Of a class. What is larger is a mistake, which would fill the memory."""


def scores(values: ArrayLike | Tensor, facts: Facts, what: str) -> Tensor:
    """Logits as float32 (N, K); `what` names them in messages."""
    found = torch.as_tensor(values, dtype=torch.float32)
    if found.ndim != 2 or found.shape[1] != facts.num_classes or not len(found):
        raise UserError(
            f"{what} must be (N, {facts.num_classes}) with one row at least, not "
            f"{tuple(found.shape)}"
        )
    if not bool(found.isfinite().all()):
        raise UserError(f"{what} must be finite: the network has given NaN or infinity")
    return found


def held_out_labels(values: ArrayLike | Tensor, logits: Tensor) -> Tensor:
    """Labels as int64 (M,), of logits (M, K)."""
    labels = torch.as_tensor(values).cpu()
    count, classes = logits.shape
    if labels.shape != (count,):
        raise UserError(f"held_out labels must be ({count},), not {tuple(labels.shape)}")
    if not bool(torch.isin(labels.double(), torch.arange(classes).double()).all()):
        raise UserError(f"held_out labels must be 0 to {classes - 1}: one of them names no class")
    return labels.long()


def classes(values: ArrayLike) -> NDArray[np.int64]:
    """Labels of a data set as int64 (N,)."""
    labels = _listed(values, MOST_CLASSES)
    if labels is None:
        raise UserError(
            f"labels must be classes, whole numbers (N,) from 0 to {MOST_CLASSES - 1:,}"
        )
    return labels


def _listed(values: ArrayLike, end: int) -> NDArray[np.int64] | None:
    """int64 (n,), n > 0, each at least 0 and below `end`; None where they are not."""
    found = whole_numbers(values, end)
    return found if found is not None and found.ndim == 1 and found.size else None


def targets(logits: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The labels as int64: others would be taken for masks by what indexes with them."""
    if logits.dim() != 2 or logits.shape[1] != classes:
        raise UserError(f"logits must be (B, {classes}), not {tuple(logits.shape)}")
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool)
    if not whole or labels.shape != logits.shape[:1]:
        raise UserError(
            f"labels must be whole numbers ({len(logits)},), not {labels.dtype} of the shape "
            f"{tuple(labels.shape)}"
        )
    if labels.device.type == "cpu" and len(labels):
        least, most = (int(value) for value in labels.aminmax())
        if least < 0 or most >= classes:
            wrong = least if least < 0 else most
            raise UserError(f"labels must be 0 to {classes - 1}, and one is {wrong}")
    return labels.long()


def length(found: Remedy, spec: str, epochs: int | None) -> int:
    """Epochs of the training that a remedy acts in."""
    if epochs is None and found.gradual:
        raise UserError(
            f"remedy {spec!r} changes in the course of a training: say how long that is with "
            "epochs=, and call set_epoch before each"
        )
    if epochs is not None and epochs < 1:
        raise UserError(f"epochs = {epochs}: a training has 1 or more")
    return epochs or 1


def only(spec: str, options: Options | None, hooks: set[str], what: str) -> Remedy:
    """The remedy, which acts through these hooks alone."""
    remedy = make_remedy(spec, options)
    more = sorted(remedy.overrides() - hooks)
    if more or not remedy.overrides():
        does = f"acts through {', '.join(more)}" if more else "does nothing"
        raise UserError(f"remedy {spec!r} {does}, so it is no {what} by itself: use unskew.Trainer")
    return remedy


def facts_of(
    counts: ArrayLike,
    epochs: int = 1,
    labels: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Facts:
    """What a remedy may know, of images of each class and, for a draw, their labels."""
    counted = _listed(counts, MOST_IMAGES)
    if counted is None or not counted.any():
        raise UserError(
            f"counts must be images of each class, whole numbers (K,) below {MOST_IMAGES:,}, not "
            f"{str(counts)[:80]}"
        )
    if labels is None:
        labels = np.repeat(np.arange(len(counted), dtype=np.int64), counted)
    return Facts(counted, labels, epochs, batch_size=1, seed=seed)
