"""Where a step of many runs has its examples from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from unskew.data.policy import EpochAugmentation
from unskew.data.side_by_side import side_by_side
from unskew.data.transfer import moved
from unskew.errors import UserError
from unskew.remedies.base import Batch
from unskew.remedies.compose import transforming
from unskew.remedies.drawn import DrawnTransform, Numbers, all_drawn
from unskew.training.epoch import Epoch
from unskew.training.seeding import OwnGenerators
from unskew.training.trainer import Trainer


class Examples(Protocol):
    """A step's examples in two parts, since a recorded step knows tensors only."""

    def inputs(self, step: int) -> tuple[int, tuple[Tensor, ...]]:
        """How many images each run is shown, and what the step is given for them.

        In Python, anew for each step, outside of what is recorded.
        """
        ...

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Images (R, B, 3, H, W) and labels (R, B) of these inputs, and where images may be mixed
        other labels and shares (R, B): inside of what is recorded.

        Other labels and shares come always or never, since a remedy may mix in one step and not in
        the next: an image that is not mixed counts wholly for its label.
        """
        ...


def examples_of(trainer: Trainer, epochs: Sequence[Epoch]) -> Examples:
    """The examples of runs that train together.

    Parameters
    ----------
    trainer: of one of them.
    epochs: of each; a run that has diverged shows what another shows, and may share its epoch.
    """
    transforms = transforming(trainer.remedy)
    if all_drawn(transforms):
        return CutTogether(trainer, epochs, transforms)
    return CutByEach(trainer, epochs)


class CutTogether:
    """The batches of all runs, cut, augmented and changed at once from the images that they share.

    Parameters
    ----------
    trainer, epochs: as in `examples_of`.
    transforms: what the remedy does to a batch, one after another.
    """

    def __init__(
        self, trainer: Trainer, epochs: Sequence[Epoch], transforms: Sequence[DrawnTransform]
    ) -> None:
        self._epochs, self._transforms = list(epochs), list(transforms)
        self._batches, self._facts = trainer.train_batches, trainer.facts
        self._image_shape = trainer.shown.train.images.image_shape
        self._batch_size = size = trainer.recipe.batch_size
        self._indices = side_by_side([epoch.indices for epoch in epochs], size)
        copies = [epoch.copies for epoch in epochs if epoch.copies is not None]
        self._copies = side_by_side(copies, size) if copies else None
        self._augmentation = EpochAugmentation.side_by_side(
            [epoch.augmentations[0] for epoch in epochs], size
        )

    def inputs(self, step: int) -> tuple[int, tuple[Tensor, ...]]:
        """Positions in the joint epoch, int64 (R·B,), and the transforms' numbers, (R·B, ...)."""
        count, device = len(self._epochs), self._batches.device
        begin = step * self._batch_size
        size = min(self._batch_size, len(self._indices) // count - begin)
        positions = torch.arange(size * count, device=device) + begin * count
        if not self._transforms:
            return size, (positions,)
        drawn = zip(*(self._numbers(epoch, step, size) for epoch in self._epochs), strict=True)
        return size, (positions, *(moved(torch.cat(of_all), positions) for of_all in drawn))

    def _numbers(self, epoch: Epoch, step: int, size: int) -> Numbers:
        """What one run draws for its batch, all transforms from one generator."""
        height, width, channels = self._image_shape
        shape = (size, channels, height, width)
        rng, numbers = epoch.generator(step), list[Tensor]()
        for part in self._transforms:
            drawn = part.numbers(shape, self._batches.device, rng)
            numbers += part.nothing(shape) if drawn is None else drawn
        return tuple(numbers)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        positions, *numbers = inputs
        chosen = self._indices[positions]
        images = self._augmentation(self._batches, chosen, positions)
        copies = None if self._copies is None else self._copies[positions]
        batch = Batch(images, self._batches.labels[chosen], chosen, copies)
        given = iter(numbers)
        for part in self._transforms:
            batch = part.change(batch, self._facts, *islice(given, part.draws))
        found = (batch.images, batch.labels, batch.other_labels, batch.share)
        count = len(self._epochs)
        return tuple(part.unflatten(0, (count, -1)) for part in found if part is not None)


class CutByEach:
    """Each run's batch made by itself, with what a transform in one piece does to it.

    Parameters
    ----------
    trainer, epochs: as in `examples_of`.
    """

    def __init__(self, trainer: Trainer, epochs: Sequence[Epoch]) -> None:
        self._epochs, self._remedy = list(epochs), trainer.recipe.remedy
        # By epoch, since a run that has diverged shares another's.
        self._own = {id(e): OwnGenerators(e.pytorch_seed, trainer.device) for e in epochs}

    def inputs(self, step: int) -> tuple[int, tuple[Tensor, ...]]:
        """Images (R·B, 3, H, W), labels, other labels and shares (R, B)."""
        made: dict[int, Batch] = {}
        for epoch in self._epochs:
            if id(epoch) not in made:
                with self._own[id(epoch)]():
                    made[id(epoch)] = epoch.batch(step)
        batches = [made[id(epoch)] for epoch in self._epochs]
        self._check(batches)
        return len(batches[0].labels), (
            torch.cat([batch.images for batch in batches]),
            torch.stack([batch.labels for batch in batches]),
            torch.stack([_other_labels(batch) for batch in batches]),
            torch.stack([_share(batch) for batch in batches]),
        )

    def _check(self, batches: Sequence[Batch]) -> None:
        if len({batch.images.shape for batch in batches}) > 1:
            raise UserError(
                f"remedy {self._remedy!r} leaves batches of different sizes, which cannot be "
                "trained on together: train one run at a time (--replicas 1)"
            )

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        images, labels, *mixed = inputs
        return images.unflatten(0, labels.shape), labels, *mixed


def _other_labels(batch: Batch) -> Tensor:
    return batch.labels if batch.other_labels is None else batch.other_labels


def _share(batch: Batch) -> Tensor:
    # Half of a mixture, without the other half, counts for nothing.
    if batch.share is None or batch.other_labels is None:
        return torch.ones(len(batch.labels), device=batch.labels.device)
    return batch.share
