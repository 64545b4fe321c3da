"""What one epoch shows, drawn once and cut into batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unskew.data.batches import Batches
from unskew.data.policy import EpochAugmentation
from unskew.data.randomness import stream
from unskew.remedies.base import Batch, Draw, Facts, Remedy
from unskew.remedies.criterion import Criterion
from unskew.training.recipe import Recipe

AHEAD = 4
"""Steps from the one whose images are read ahead, where they come from the disk."""


class Epoch:
    """The images of one epoch in their order, how each is augmented, and what is minimised.

    All of it follows from (recipe, remedy, epoch) alone; nothing here changes while training.

    Parameters
    ----------
    remedy: the one that acts in this stage of the run.
    batches: where the training images lie.
    number: 0 for the run's first epoch.

    Attributes
    ----------
    indices: int64 (n,), positions in the training set, on the device.
    augmentations: one for every view of the drawn images, then for every view of their partners.
    criterion: the weighted and mixed loss of a batch.
    steps: batches; a last batch of one image is left out, BatchNorm cannot take it.
    copies: bool (n,) as in `Draw`, on the device, or None.
    pytorch_seed: where PyTorch's own generators begin the epoch, for remedies that draw from them.
    """

    def __init__(
        self, recipe: Recipe, remedy: Remedy, facts: Facts, batches: Batches, number: int
    ) -> None:
        self._recipe, self._remedy, self._facts, self._batches = recipe, remedy, facts, batches
        self._number = number
        self.pytorch_seed = int(stream(recipe.seed, "pytorch", number).integers(2**63))
        device = batches.device
        rng = stream(recipe.seed, "order", number)
        draw = remedy.draw(facts, number, rng) or Draw(
            rng.permutation(len(facts.labels)).astype(np.int64)
        )
        self.indices = torch.from_numpy(draw.indices).to(device)
        self.copies = None if draw.copies is None else torch.from_numpy(draw.copies).to(device)
        self._partners = (
            None if draw.partners is None else torch.from_numpy(draw.partners).to(device)
        )
        views = 1 + remedy.views
        shown = [draw.indices] * views
        if draw.partners is not None:
            shown += [draw.partners] * views
        self.augmentations = [
            EpochAugmentation(
                recipe.augmentation, recipe.seed, number, len(indices), view, str(device),
                indices if recipe.alternate_flips else None,
            )
            for view, indices in enumerate(shown)
        ]  # fmt: skip
        weights = remedy.class_weights(facts, number)
        self.criterion = Criterion(
            remedy.loss(facts, number),
            None if weights is None else weights.to(device),
            recipe.label_smoothing,
        )
        full, rest = divmod(len(draw.indices), recipe.batch_size)
        self.steps = full if recipe.drop_last and full else full + (rest > 1)

    def batch(self, step: int) -> Batch:
        """The examples of a step (0 for the epoch's first), mixed as the remedy would have it."""
        size = self._recipe.batch_size
        cut = slice(step * size, (step + 1) * size)
        if self._partners is None:
            batch = self._augmented(self.indices, cut, self.augmentations)
        else:
            half = len(self.augmentations) // 2
            batch = self._augmented(self.indices, cut, self.augmentations[:half])
            partners = self._augmented(self._partners, cut, self.augmentations[half:])
            batch = batch.with_(partners=partners)
        if self.copies is not None:
            batch = batch.with_(copies=self.copies[cut])
        coming = slice(cut.start + AHEAD * size, cut.stop + AHEAD * size)
        self._batches.ahead(self.indices[coming])
        if self._partners is not None:
            self._batches.ahead(self._partners[coming])
        return self._remedy.transform(batch, self._facts, self.generator(step))

    def generator(self, step: int) -> np.random.Generator:
        """What the remedy's `transform` draws from in a step."""
        return stream(self._recipe.seed, f"transform {self._number}", step)

    def _augmented(
        self, indices: Tensor, cut: slice, augmentations: list[EpochAugmentation]
    ) -> Batch:
        chosen = indices[cut]
        images, *views = (
            augmentation(self._batches, chosen, cut) for augmentation in augmentations
        )
        return Batch(images, self._batches.labels[chosen], chosen, views=tuple(views))
