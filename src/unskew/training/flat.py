"""A batch as a row of tensors, for what takes tensors alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from unskew.remedies.base import Batch


@dataclass(frozen=True)
class Place:
    """Where a batch had a tensor."""

    shape: torch.Size
    dtype: torch.dtype


def flatten(batch: Batch) -> tuple[tuple[Tensor, ...], Batch]:
    """The tensors of a batch, those of its views and partners among them, and what is left of it.

    Returns
    -------
    The tensors in their order, and the batch with a `Place` for each of them: its layout. Layouts
    are equal, and hash alike, where the tensors are of the same shapes and types, and whatever
    else the batches hold (None, as a rule) is the same.
    """
    tensors: list[Tensor] = []
    layout: Batch = _without(batch, tensors)
    return tuple(tensors), layout


def unflatten(tensors: Sequence[Tensor], layout: Batch) -> Batch:
    """The batch that `flatten` has taken apart, with these tensors."""
    batch: Batch = _with(layout, iter(tensors))
    return batch


def _without(part: Any, tensors: list[Tensor]) -> Any:
    match part:
        case Tensor():
            tensors.append(part)
            return Place(part.shape, part.dtype)
        case tuple():
            return tuple(_without(inner, tensors) for inner in part)
        case Batch():
            return part.with_(
                **{f.name: _without(getattr(part, f.name), tensors) for f in fields(part)}
            )
    return part


def _with(part: Any, tensors: Iterator[Tensor]) -> Any:
    match part:
        case Place():
            return next(tensors)
        case tuple():
            return tuple(_with(inner, tensors) for inner in part)
        case Batch():
            return part.with_(
                **{f.name: _with(getattr(part, f.name), tensors) for f in fields(part)}
            )
    return part
