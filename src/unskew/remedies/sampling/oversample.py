"""Showing minority images several times an epoch, the copies augmented or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unskew.data.augment import PADDING, flip, pad_and_crop, rotate_and_noise
from unskew.remedies.base import Batch, Draw, Facts, Remedy
from unskew.remedies.drawn import DrawnTransform, Numbers


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
class OversampleAugmented(DrawnTransform):
    """Minority images repeated until all classes are equally large, the copies flipped, cropped,
    rotated and noised; one showing of every image in an epoch is left alone.

    Attributes
    ----------
    degrees: copies are rotated by up to so much to either side.
    noise: standard deviation of the noise, in standard deviations of the pixels.
    """

    name = "oversample_augmented"
    corrects_prior = True
    draws = 4

    degrees: float = 15.0
    noise: float = 0.1

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw:
        return repeat_to_largest(facts, rng)

    def numbers(
        self, shape: Sequence[int], device: torch.device, rng: np.random.Generator
    ) -> Numbers:
        """Flips, bool (B,), shifts, int64 (B, 2), degrees, float32 (B,), and the noise, float32
        (B, 3, H, W), which is on the device.

        Drawn for the whole batch, so that what one image gets does not depend on its neighbours.
        """
        count = shape[0]
        flips = torch.from_numpy(rng.random(count) < 0.5)
        crops = torch.from_numpy(rng.integers(0, 2 * PADDING + 1, (count, 2)))
        degrees = torch.from_numpy(rng.uniform(-1, 1, count).astype(np.float32)) * self.degrees
        return flips, crops, degrees, _normal(shape, device, rng)

    def change(self, batch: Batch, facts: Facts, *numbers: Tensor) -> Batch:
        if batch.copies is None:
            return batch
        # Elsewhere than on a CPU to ask how many are copies is to wait for the device.
        on_cpu = batch.images.device.type == "cpu"
        changed = self._copies_changed if on_cpu else self._changed_where_copies
        return batch.with_(images=changed(batch.images, batch.copies, *numbers))

    def _copies_changed(self, images: Tensor, copies: Tensor, *numbers: Tensor) -> Tensor:
        """The batch's images, the work done for the copies alone."""
        which = copies.nonzero().squeeze(1)
        if not len(which):
            return images
        changed = images.clone(memory_format=torch.channels_last)
        turned = self._changed(images[which], *(tensor[which] for tensor in numbers))
        changed[which] = turned.to(changed.dtype)
        return changed

    def _changed_where_copies(self, images: Tensor, copies: Tensor, *numbers: Tensor) -> Tensor:
        """The same, the work done for all."""
        turned = self._changed(images, *numbers).to(images.dtype, memory_format=torch.channels_last)
        return torch.where(copies[:, None, None, None], turned, images)

    def _changed(
        self, images: Tensor, flips: Tensor, crops: Tensor, degrees: Tensor, noise: Tensor
    ) -> Tensor:
        return rotate_and_noise(
            pad_and_crop(flip(images, flips), crops), degrees, noise, self.noise
        )


def _normal(shape: Sequence[int], device: torch.device, rng: np.random.Generator) -> Tensor:
    """Standard normal numbers, float32, on the device.

    Drawn where they are needed, since for a GPU the host would take longer over them than the GPU
    takes over a step: there they are other numbers than on a CPU.
    """
    if device.type == "cpu":
        return torch.from_numpy(rng.standard_normal(tuple(shape), dtype=np.float32))
    return normal_there(shape, device, rng)


def normal_there(shape: Sequence[int], device: torch.device, rng: np.random.Generator) -> Tensor:
    """Standard normal numbers of the device's own generator, float32, channels last.

    `rng` gives its seed alone, so the host draws one number for a whole batch.
    """
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
    noise = torch.empty(tuple(shape), device=device, memory_format=torch.channels_last)
    return noise.normal_(generator=generator)
