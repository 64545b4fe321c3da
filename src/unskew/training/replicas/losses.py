"""The losses of many runs, each by its own criterion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.func import vmap

from unskew.remedies.base import Batch
from unskew.remedies.criterion import Criterion


def losses_of(
    kinds: Sequence[Hashable], criteria: Sequence[Criterion | None]
) -> Callable[..., Tensor]:
    """A function of (logits (R, B, K), labels (R, B), and where images may be mixed other labels
    and shares (R, B)) to the runs' losses, float32 (R,).

    Runs of one kind are computed at once, so that many seeds cost no more kernels than one.

    Parameters
    ----------
    kinds, criteria: of each run; where kinds are the same, so is what the criteria compute. None
        of a run that has diverged, whose loss may be any.
    """
    known = {
        kind: criterion
        for kind, criterion in zip(kinds, criteria, strict=True)
        if criterion is not None
    }
    any_kind = next(iter(known))
    members: dict[Hashable, list[int]] = defaultdict(list)
    for run, kind in enumerate(kinds):
        members[kind if kind in known else any_kind].append(run)
    of_kind = [(runs, vmap(partial(_of_one, known[kind]))) for kind, runs in members.items()]

    def losses(*tensors: Tensor) -> Tensor:
        if len(of_kind) == 1:
            found: Tensor = of_kind[0][1](*tensors)
            return found
        rows = [tensor.unbind() for tensor in tensors]
        found_of: dict[int, Tensor] = {}
        for runs, loss in of_kind:
            theirs = (torch.stack([of_all[run] for run in runs]) for of_all in rows)
            found_of |= zip(runs, loss(*theirs).unbind(), strict=True)
        return torch.stack([found_of[run] for run in range(len(kinds))])

    return losses


def _of_one(criterion: Criterion, logits: Tensor, labels: Tensor, *mixed: Tensor) -> Tensor:
    other_labels, share = mixed or (None, None)
    batch = Batch(logits, labels, labels, other_labels=other_labels, share=share)
    return criterion(logits, batch)
