"""How far the copies of minority images are shifted, turned and noised, seen in their pixels."""

import numpy as np
import pytest
import torch

from tests.remedies.scene import FACTS
from unskew.data.randomness import stream
from unskew.remedies.base import Batch
from unskew.remedies.registry import make_remedy

COUNT, SIZE, ROW, COLUMN = 600, 40, 20, 6
MIRRORED = SIZE - 1 - COLUMN


def augmented(**options):
    """Float64 (COUNT, SIZE, SIZE): copies of an image with one bright pixel."""
    images = torch.zeros(COUNT, 1, SIZE, SIZE)
    images[:, :, ROW, COLUMN] = 1
    nothing = torch.zeros(COUNT, dtype=torch.int64)
    batch = Batch(images, nothing, nothing, copies=torch.ones(COUNT, dtype=torch.bool))
    remedy = make_remedy("oversample_augmented", {"oversample_augmented": options})
    return remedy.transform(batch, FACTS, stream(0, "copies")).images[:, 0].double().numpy()


def test_all_are_changed_and_the_copies_kept_or_the_copies_alone_changed():
    """The one is how an accelerator does it, which does not know in time how many there are."""
    rng = stream(0, "images")
    images = torch.from_numpy(rng.normal(size=(9, 3, 8, 8))).float()
    images = images.contiguous(memory_format=torch.channels_last)
    remedy = make_remedy("oversample_augmented")
    numbers = remedy.numbers(images.shape, images.device, rng)
    for copies in (torch.arange(9) % 3 == 0, torch.zeros(9, dtype=torch.bool)):
        alone = remedy._copies_changed(images, copies, *numbers)
        kept = remedy._changed_where_copies(images, copies, *numbers)
        torch.testing.assert_close(kept, alone, rtol=0, atol=1e-6)
        assert torch.equal(kept[~copies], images[~copies])
        assert ((kept != images).flatten(1).any(1) == copies).all()
        assert kept.is_contiguous(memory_format=torch.channels_last)


def bright(images):
    """(row, column) of each image's centre of mass, float64 (COUNT,) each."""
    at = np.arange(SIZE)
    mass = images.sum(axis=(1, 2))
    return (images.sum(axis=2) @ at) / mass, (images.sum(axis=1) @ at) / mass


def test_half_are_mirrored_and_all_are_shifted_by_up_to_four_pixels():
    rows, columns = bright(augmented(degrees=0.0, noise=0.0))
    mirrored = columns > SIZE / 2
    assert mirrored.mean() == pytest.approx(0.5, abs=0.07)
    down = np.rint(rows).astype(int) - ROW
    right = np.rint(columns).astype(int) - np.where(mirrored, MIRRORED, COLUMN)
    for shift in (down, right):
        times = np.bincount(shift + 4, minlength=9)
        assert len(times) == 9
        assert times.min() > COUNT / 9 / 2
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.15


def test_they_are_turned_to_either_side_by_up_to_so_many_degrees():
    middle = (SIZE - 1) / 2
    before, after = (
        np.arctan2(rows - middle, columns - middle)
        for rows, columns in (bright(augmented(degrees=d, noise=0.0)) for d in (0.0, 20.0))
    )
    turned = np.rad2deg((after - before + np.pi) % (2 * np.pi) - np.pi)
    # A pixel that is spread over its neighbours has its centre of mass a little elsewhere.
    assert np.abs(turned).max() < 23
    assert turned.min() < -17
    assert turned.max() > 17
    assert turned.mean() == pytest.approx(0, abs=1.5)
    assert turned.std() == pytest.approx(40 / np.sqrt(12), abs=1)


def test_the_noise_is_normal_and_as_strong_as_said():
    noise = augmented(degrees=0.0, noise=0.3) - augmented(degrees=0.0, noise=0.0)
    assert noise.mean() == pytest.approx(0, abs=0.002)
    assert noise.std() == pytest.approx(0.3, rel=0.01)
    assert (np.abs(noise) < 0.3).mean() == pytest.approx(0.6827, abs=0.005)
    # Each pixel's is its own.
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1
