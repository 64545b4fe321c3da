"""Small data that every room's tests share."""

import os

# One thread a test process: results are then bit-identical and xdist's workers do not fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import settings

from unskew.data.imageset import ImageSet, Splits
from unskew.data.randomness import stream

# No test measures time, and a failure found once is found again.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


def pytest_runtest_setup() -> None:
    """Every test draws the same numbers, whatever ran before it in its process."""
    torch.manual_seed(0)


def make_images(count: int, classes: int, seed: int, size: int = 16) -> ImageSet:
    """Images whose brightest quadrant and colour tell their class, with noise on top."""
    rng = stream(seed, "test images")
    labels = np.arange(count, dtype=np.int64) % classes
    pixels = rng.integers(0, 120, (count, size, size, 3))
    half = size // 2
    for k in range(classes):
        row, column, channel = (k // 2) % 2 * half, k % 2 * half, k % 3
        pixels[labels == k, row : row + half, column : column + half, channel] += 120
    names = tuple(f"class {k}" for k in range(classes))
    return ImageSet(pixels.astype(np.uint8), labels, names)


@pytest.fixture(scope="session")
def splits() -> Splits:
    """Four classes of 16×16 images: 240 to train on, 80 to test on; learnt in two epochs."""
    return Splits("squares", make_images(240, 4, 0), make_images(80, 4, 1), "f00d")
