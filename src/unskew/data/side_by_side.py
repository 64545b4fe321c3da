"""Several runs' epochs as one, so that one operation serves a step of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def side_by_side(rows: Sequence[Tensor], batch_size: int) -> Tensor:
    """The runs' first batches one after another, then their second ones, and so on.

    A step of R runs is then one slice of R * batch_size rows; only the last may be shorter.

    Parameters
    ----------
    rows: R tensors (n, ...), what each run's epoch has at each of its positions.

    Returns
    -------
    (R * n, ...).
    """
    stacked = torch.stack(list(rows))
    full = stacked.shape[1] // batch_size * batch_size
    batches = stacked[:, :full].unflatten(1, (-1, batch_size)).transpose(0, 1)
    return torch.cat([batches.flatten(0, 2), stacked[:, full:].flatten(0, 1)])
