"""Showing minority images several times an epoch, the copies augmented or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from unskew.data.augment import PADDING, flip, pad_and_crop, rotate_and_noise
from unskew.remedies.base import Batch, Draw, Facts, Remedy


def repeat_to_largest(facts: Facts, rng: np.random.Generator) -> Draw:
    """Every image once, and copies of each class up to the largest class's count, shuffled.

    Copies are spread evenly: no image of a class is shown two times more than another.
    """
    target = int(facts.counts.max())
    indices: list[NDArray[np.int64]] = []
    copies: list[NDArray[np.bool_]] = []
    for k in np.flatnonzero(facts.counts):
        members = np.flatnonzero(facts.labels == k)
        rounds = [rng.permutation(members) for _ in range(-(-target // len(members)))]
        shown = np.concatenate(rounds)[:target]
        indices.append(shown)
        copies.append(np.arange(target) >= len(members))
    order = rng.permutation(sum(map(len, indices)))
    return Draw(np.concatenate(indices)[order], np.concatenate(copies)[order])


@dataclass(frozen=True)
class Oversample(Remedy):
    """Random oversampling: minority images repeated until all classes are equally large.

    Copies are exact (but for the recipe's augmentation). Buda et al. 2018, section 3.2.
    """

    name = "oversample"
    corrects_prior = True

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        return repeat_to_largest(facts, rng)


@dataclass(frozen=True)
class OversampleAugmented(Remedy):
    """Minority images repeated until all classes are equally large, the copies flipped, cropped,
    rotated and noised; every image's first showing in an epoch is left alone.

    Attributes
    ----------
    degrees: copies are rotated by up to so much to either side.
    noise: standard deviation of the noise, in standard deviations of the pixels.
    """

    name = "oversample_augmented"
    corrects_prior = True

    degrees: float = 15.0
    noise: float = 0.1

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        return repeat_to_largest(facts, rng)

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        if batch.copies is None:
            return batch
        # Drawn for the whole batch, so that what one image gets does not depend on its
        # neighbours, and applied to the copies alone.
        count, device = len(batch.labels), batch.images.device
        flips = torch.from_numpy(rng.random(count) < 0.5).to(device)
        crops = torch.from_numpy(rng.integers(0, 2 * PADDING + 1, (count, 2))).to(device)
        degrees = torch.from_numpy(rng.uniform(-1, 1, count).astype(np.float32)) * self.degrees
        noise = torch.from_numpy(rng.standard_normal(batch.images.shape, dtype=np.float32))
        which = batch.copies.nonzero().squeeze(1)
        if not len(which):
            return batch
        images = pad_and_crop(flip(batch.images[which], flips[which]), crops[which])
        images = rotate_and_noise(
            images, degrees.to(device)[which], noise.to(device)[which], self.noise
        )
        changed = batch.images.clone(memory_format=torch.channels_last)
        changed[which] = images.to(changed.dtype)
        return batch.with_(images=changed)
