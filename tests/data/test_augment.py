import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import make_images
from unskew.data.augment import (
    PADDING,
    REACH,
    draw_alternating_flips,
    draw_crops,
    draw_flips,
    draw_translations,
    flip,
    pad_and_crop,
    rotate_and_noise,
    translate,
)
from unskew.data.batches import Batches, View, whole
from unskew.data.normalise import channel_statistics
from unskew.data.policy import EpochAugmentation
from unskew.kernels.library import load

IMAGES = torch.arange(5 * 3 * 8 * 8).reshape(5, 3, 8, 8).float()


def test_flip_mirrors_only_what_is_marked():
    mask = torch.tensor([True, False, True, False, False])
    flipped = flip(IMAGES, mask)
    for k in range(5):
        assert torch.equal(flipped[k], IMAGES[k].flip(2) if mask[k] else IMAGES[k])


@given(st.integers(0, 2 * PADDING), st.integers(0, 2 * PADDING))
@settings(deadline=None)
def test_a_crop_is_a_shift_with_zeros_moving_in(down, right):
    offsets = torch.tensor([[down, right]] * 5)
    cropped = pad_and_crop(IMAGES, offsets)
    for i in range(8):
        for j in range(8):
            y, x = i + down - PADDING, j + right - PADDING
            inside = 0 <= y < 8 and 0 <= x < 8
            expected = IMAGES[:, :, y, x] if inside else torch.zeros(5, 3)
            assert torch.equal(cropped[:, :, i, j], expected)


def test_crops_stay_channels_last():
    images = IMAGES.to(memory_format=torch.channels_last)
    cropped = pad_and_crop(images, torch.full((5, 2), PADDING))
    assert cropped.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(cropped, images)


def test_rotation_by_a_right_angle_is_exact_and_noise_adds_up():
    quarter = rotate_and_noise(IMAGES, torch.full((5,), 90.0), torch.zeros_like(IMAGES), 0.0)
    turned = IMAGES.rot90(1, (2, 3))
    other = IMAGES.rot90(-1, (2, 3))
    assert torch.allclose(quarter, turned, atol=1e-3) or torch.allclose(quarter, other, atol=1e-3)
    noisy = rotate_and_noise(IMAGES, torch.zeros(5), torch.ones_like(IMAGES), 0.5)
    torch.testing.assert_close(noisy, IMAGES + 0.5)


def test_draws_follow_from_seed_epoch_position_and_view():
    for draw in (draw_flips, draw_crops):
        assert (draw(1, 2, 50) == draw(1, 2, 50)).all()
        for other in (draw(2, 2, 50), draw(1, 3, 50), draw(1, 2, 50, view=1)):
            assert (draw(1, 2, 50) != other).any()
    assert 0.4 < draw_flips(0, 0, 5000).mean() < 0.6
    assert set(draw_crops(0, 0, 5000).ravel()) == set(range(2 * PADDING + 1))


@pytest.fixture(params=["kernel", "tensor code"])
def batches(request, monkeypatch):
    """Batches of 16 × 16 images, both ways of making them."""
    if request.param == "tensor code":
        monkeypatch.setattr("unskew.data.batches.can_batch", lambda pixels: False)
    elif load("batch").functions is None:
        pytest.skip(load("batch").reason)
    view = View(make_images(40, 4, 0), np.arange(0, 40, 2))
    return Batches(view, *channel_statistics(view))


def test_a_policy_applied_in_parts_is_the_policy_applied_at_once(batches):
    policy, chosen = EpochAugmentation("flip_crop", 0, 0, 5), torch.tensor([3, 0, 19, 3, 8])
    at_once = policy(batches, chosen, slice(0, 5))
    parts = [policy(batches, chosen[cut], cut) for cut in (slice(0, 2), slice(2, 5))]
    assert torch.equal(at_once, torch.cat(parts))
    untouched = EpochAugmentation("none", 0, 0, 5)(batches, chosen, slice(0, 5))
    assert torch.equal(untouched, batches.images(chosen))


def test_batches_are_mirrored_and_shifted_as_the_tensor_code_does_it(batches):
    chosen, flips = torch.arange(20), torch.arange(20) % 3 == 0
    shifts = torch.from_numpy(draw_crops(0, 0, 20))
    plain = batches.images(chosen)
    assert torch.equal(batches.images(chosen, flips), flip(plain, flips))
    assert torch.equal(batches.images(chosen, None, shifts), pad_and_crop(plain, shifts))
    both = batches.images(chosen, flips, shifts)
    assert torch.equal(both, pad_and_crop(flip(plain, flips), shifts))
    assert both.is_contiguous(memory_format=torch.channels_last)
    assert batches.images(chosen[:0]).shape == (0, 3, 16, 16)


def test_numbers_of_another_width_mean_the_same(batches):
    """A kernel would read NumPy's 64-bit floats, and positions of 32 bits, as something else."""
    view = View(make_images(40, 4, 0), np.arange(0, 40, 2, dtype=np.int32))
    mean, std = channel_statistics(view)
    other = Batches(view, mean.astype(np.float64), std.astype(np.float64))
    chosen, flips = torch.arange(20), torch.arange(20) % 3 == 0
    shifts = torch.from_numpy(draw_crops(0, 0, 20))
    found = other.images(chosen.int(), flips.to(torch.uint8), shifts.int())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, batches.images(chosen, flips, shifts))


def test_the_kernel_and_the_tensor_code_agree_bit_for_bit(monkeypatch):
    view = whole(make_images(40, 4, 1))
    batches = Batches(view, *channel_statistics(view))
    arguments = torch.arange(40), torch.arange(40) % 2 == 0, torch.from_numpy(draw_crops(1, 0, 40))
    fast = batches.images(*arguments)
    monkeypatch.setattr("unskew.data.batches.can_batch", lambda pixels: False)
    assert torch.equal(fast, batches.images(*arguments))


def test_batches_are_normalised_channels_last_views_of_the_set():
    images = make_images(40, 4, 0)
    view = View(images, np.arange(0, 40, 2))
    mean, std = channel_statistics(view)
    pixels = images.images[::2].astype(np.float64)
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(axis=(0, 1, 2)), rtol=1e-6)
    batches = Batches(view, mean, std)
    everything = batches.images(torch.arange(20))
    assert everything.shape == (20, 3, 16, 16)
    assert everything.is_contiguous(memory_format=torch.channels_last)
    assert everything.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert (everything.std(dim=(0, 2, 3)) - 1).abs().max() < 1e-3
    expected = (pixels[7] - mean) / std
    np.testing.assert_allclose(everything[7].permute(1, 2, 0), expected, rtol=1e-4, atol=1e-5)


def test_a_flat_channel_divides_by_one():
    images = make_images(8, 2, 0)
    flat = type(images)(np.full_like(images.images, 7), images.labels, images.class_names)
    mean, std = channel_statistics(whole(flat))
    assert mean.tolist() == [7, 7, 7]
    assert std.tolist() == [1, 1, 1]


@given(st.integers(-REACH, REACH), st.integers(-REACH, REACH))
def test_a_translation_is_a_shift_with_the_mirrored_image_moving_in(down, right):
    padded = np.pad(IMAGES.numpy(), ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)), "reflect")
    y, x = REACH + down, REACH + right
    expected = torch.from_numpy(padded[:, :, y : y + 8, x : x + 8])
    assert torch.equal(translate(IMAGES, torch.tensor([[down, right]] * 5)), expected)


def test_translations_are_each_images_own_and_stay_channels_last():
    images = IMAGES.to(memory_format=torch.channels_last)
    shifts = torch.tensor([[0, 0], [1, 0], [0, -2], [2, 2], [-1, 1]])
    moved = translate(images, shifts)
    assert moved.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(moved[0], IMAGES[0])
    for k in range(5):
        assert torch.equal(moved[k], translate(images[k : k + 1], shifts[k : k + 1])[0])


def test_translations_reach_everywhere_and_are_drawn_anew():
    drawn = draw_translations(0, 3, 500)
    assert {tuple(shift) for shift in drawn} == {
        (y, x) for y in range(-REACH, REACH + 1) for x in range(-REACH, REACH + 1)
    }
    assert (drawn == draw_translations(0, 3, 500)).all()
    for other in [(1, 3, 500, 0), (0, 4, 500, 0), (0, 3, 500, 1)]:
        assert (drawn != draw_translations(*other[:3], view=other[3])).any()


def test_alternating_flips_take_turns_image_by_image():
    first = draw_alternating_flips(0, 0, np.arange(1000))
    assert 400 < first.sum() < 600
    order = np.random.default_rng(0).permutation(1000)
    second = draw_alternating_flips(0, 1, order)
    assert (second == ~first[order]).all()
    assert (draw_alternating_flips(0, 6, order[:3]) == first[order[:3]]).all()
    assert (draw_alternating_flips(1, 0, np.arange(1000)) != first).any()
    assert (draw_alternating_flips(0, 0, np.arange(1000), view=1) != first).any()
    assert draw_alternating_flips(0, 0, np.arange(0)).shape == (0,)


def test_the_translating_policy_flips_and_shifts():
    view = whole(make_images(20, 4, 0))
    batches = Batches(view, *channel_statistics(view))
    indices = torch.arange(20).flip(0)
    plain = batches.images(indices)
    shifts = torch.from_numpy(draw_translations(5, 2, 20))
    flips = torch.from_numpy(draw_flips(5, 2, 20))
    policy = EpochAugmentation("flip_translate", 5, 2, 20)
    cut = slice(6, 13)
    expected = translate(flip(plain, flips), shifts)[cut]
    assert torch.equal(policy(batches, indices[cut], cut), expected)
    turns = torch.from_numpy(draw_alternating_flips(5, 2, indices.numpy()))
    policy = EpochAugmentation("flip_translate", 5, 2, 20, alternate=indices.numpy())
    expected = translate(flip(plain, turns), shifts)[cut]
    assert torch.equal(policy(batches, indices[cut], cut), expected)


@pytest.mark.parametrize("side", [1, 3, 4, 8])
def test_images_may_be_narrower_than_what_they_are_shifted_by(side, monkeypatch):
    view = whole(make_images(30, 4, 1, size=side))
    batches = Batches(view, *channel_statistics(view))
    chosen, shifts = torch.arange(25), torch.from_numpy(draw_crops(1, 0, 25))
    shifts[:2] = torch.tensor([[0, 0], [2 * PADDING, 2 * PADDING]])
    fast = batches.images(chosen, None, shifts)
    monkeypatch.setattr("unskew.data.batches.can_batch", lambda pixels: False)
    assert torch.equal(fast, batches.images(chosen, None, shifts))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((torch.zeros(1, 6, dtype=torch.int64),), r"one dimension, not the shape \(1, 6\)"),
        ((torch.tensor(3),), "one dimension"),
        ((torch.arange(6), torch.zeros(5, dtype=torch.bool)), r"flips .* \(6,\), not \(5,\)"),
        ((torch.arange(6), None, torch.zeros(5, 2)), r"shifts .* \(6, 2\), not \(5, 2\)"),
        ((torch.arange(6), None, torch.zeros(6, dtype=torch.int64)), r"shifts .* \(6, 2\)"),
    ],
)
def test_shapes_that_disagree_are_refused(batches, arguments, told):
    """A kernel would read beyond what there is."""
    with pytest.raises(ValueError, match=told):
        batches.images(*arguments)


def test_indices_beyond_the_view_are_refused(batches):
    with pytest.raises(IndexError):
        batches.images(torch.tensor([3, 20]))


@pytest.mark.parametrize("positions", [[-1], [0, 40]])
def test_positions_beyond_the_set_are_refused(positions):
    view = View(make_images(40, 4, 0), np.array(positions))
    with pytest.raises(ValueError, match="between 0 and 39"):
        Batches(view, np.ones(3, np.float32), np.ones(3, np.float32))


def test_one_mean_is_of_all_channels(batches):
    view = View(make_images(40, 4, 0), np.arange(0, 40, 2))
    one, three = (np.full(size, 100.0, np.float32) for size in (1, 3))
    chosen = torch.arange(4)
    wanted = Batches(view, three, three).images(chosen)
    assert torch.equal(Batches(view, one, one).images(chosen), wanted)
    with pytest.raises(ValueError, match="broadcast"):
        Batches(view, np.ones(2, np.float32), three)
