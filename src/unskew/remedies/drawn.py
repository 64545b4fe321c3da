"""Transforms in two halves: numbers that each run draws, and work that many runs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeGuard

import numpy as np
import torch
from torch import Tensor

from unskew.data.transfer import moved
from unskew.remedies.base import Batch, Facts, Remedy

Numbers = tuple[Tensor, ...]
"""Each (B, ...), a row for every image of the batch."""


@dataclass(frozen=True)
class DrawnTransform(Remedy):
    """A remedy that draws numbers for a batch and then changes the batch by these alone.

    The numbers follow from the run's own generator, in Python. The change is tensor code, the same
    in every step: runs that train together draw one after another, lay their batches and their
    numbers end to end, and have all of them changed at once.

    Class attributes
    ----------------
    draws: how many tensors `numbers` gives.
    """

    draws: ClassVar[int] = 0

    def numbers(
        self, shape: Sequence[int], device: torch.device, rng: np.random.Generator
    ) -> Numbers | None:
        """What is drawn for one batch; None: this one is left as it is.

        Parameters
        ----------
        shape: of the batch's images, (B, 3, H, W).
        device: where they are. Numbers may lie on the CPU, from where the caller moves them.
        """
        raise NotImplementedError

    def nothing(self, shape: Sequence[int]) -> Numbers:
        """Numbers by which `change` leaves a batch as it is; needed where `numbers` may be None."""
        raise NotImplementedError

    def change(self, batch: Batch, facts: Facts, *numbers: Tensor) -> Batch:
        """The batch changed by its numbers, which lie beside it.

        An image may be looked up in another row of the batch, but only by its distance from there.

        Parameters
        ----------
        facts: only what runs that train together have in common may be read.
        """
        raise NotImplementedError

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        numbers = self.numbers(batch.images.shape, batch.images.device, rng)
        if numbers is None:
            return batch
        return self.change(batch, facts, *(moved(tensor, batch.images) for tensor in numbers))


def all_drawn(parts: Sequence[Remedy]) -> TypeGuard[Sequence[DrawnTransform]]:
    """Whether the parts transform in two halves; not if a subclass has a `transform` of its own."""
    return all(type(part).transform is DrawnTransform.transform for part in parts)
