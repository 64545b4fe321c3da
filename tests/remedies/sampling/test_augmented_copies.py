"""How far the copies of minority images are shifted, turned and noised, seen in their pixels."""

import numpy as np
import pytest
import torch

from tests.remedies.scene import FACTS
from unskew.data.randomness import stream
from unskew.remedies.base import Batch
from unskew.remedies.registry import make_remedy
from unskew.remedies.sampling.oversample import normal_there

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


def test_numbers_have_their_dtypes_and_on_a_cpu_noise_is_of_the_runs_own_generator():
    remedy = make_remedy("oversample_augmented")
    cpu = torch.device("cpu")
    flips, shifts, degrees, noise = remedy.numbers((6, 3, 8, 8), cpu, stream(0, "numbers"))
    assert (flips.dtype, flips.shape) == (torch.bool, (6,))
    assert (shifts.dtype, shifts.shape) == (torch.int64, (6, 2))
    assert (degrees.dtype, degrees.shape) == (torch.float32, (6,))
    assert (noise.dtype, noise.shape) == (torch.float32, (6, 3, 8, 8))
    same = stream(0, "numbers")
    same.random(6), same.integers(0, 9, (6, 2)), same.uniform(-1, 1, 6)
    assert np.array_equal(noise, same.standard_normal((6, 3, 8, 8), dtype=np.float32))


def test_a_devices_own_noise_is_normal_and_follows_from_the_runs_generator():
    def drawn(seed):
        return normal_there((50, 3, 16, 16), torch.device("cpu"), stream(seed, "noise"))

    noise = drawn(0)
    assert (noise.dtype, noise.shape) == (torch.float32, (50, 3, 16, 16))
    assert noise.is_contiguous(memory_format=torch.channels_last)
    assert noise.mean().item() == pytest.approx(0, abs=0.02)
    assert noise.std().item() == pytest.approx(1, rel=0.02)
    assert (noise.abs() < 1).float().mean().item() == pytest.approx(0.6827, abs=0.01)
    assert torch.equal(noise, drawn(0))
    assert not torch.equal(noise, drawn(1))
    # Of one generator each batch's is another.
    rng = stream(0, "noise")
    first, second = (normal_there((2, 3, 4, 4), torch.device("cpu"), rng) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("way", ["_copies_changed", "_changed_where_copies"])
def test_what_comes_out_is_channels_last(way):
    remedy = make_remedy("oversample_augmented")
    images = torch.randn(4, 3, 8, 8)
    numbers = remedy.numbers(images.shape, images.device, stream(0, "numbers"))
    copies = torch.tensor([True, False, True, False])
    changed = getattr(remedy, way)(images, copies, *numbers)
    assert changed.dtype == torch.float32
    assert torch.equal(changed[1::2], images[1::2])
    assert changed.is_contiguous(memory_format=torch.channels_last)


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
