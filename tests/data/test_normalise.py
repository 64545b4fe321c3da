import gc

import numpy as np
import pytest

from unskew.data import normalise
from unskew.data.batches import View, whole
from unskew.data.imageset import ImageSet
from unskew.data.normalise import channel_statistics


def made(seed=0, count=20):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return ImageSet(images, np.zeros(count, dtype=np.int64), ("a", "b"))


def expected(view):
    pixels = view.images.images[view.positions].astype(np.float64)
    return pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))


@pytest.mark.parametrize("writeable", [True, False])
def test_of_the_images_that_the_view_shows(writeable):
    images = made()
    images.images.flags.writeable = writeable
    views = [whole(images), View(images, np.arange(5)), View(images, np.arange(19, 2, -2))]
    for view in [*views, *views]:
        for found, right in zip(channel_statistics(view), expected(view), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-6)


def test_computed_once_for_images_that_cannot_change(monkeypatch):
    images = made()
    images.images.flags.writeable = False
    first = channel_statistics(whole(images))
    monkeypatch.setattr(normalise, "_computed", None)
    assert channel_statistics(whole(images)) is first


def test_computed_anew_for_images_that_can():
    images = made()
    before, _ = channel_statistics(whole(images))
    images.images[:] = 7
    after, _ = channel_statistics(whole(images))
    assert not np.allclose(before, after)
    assert np.allclose(after, 7)


def test_forgotten_with_the_set():
    known = len(normalise._known)
    images = made()
    images.images.flags.writeable = False
    channel_statistics(whole(images))
    assert len(normalise._known) == known + 1
    del images
    gc.collect()
    assert len(normalise._known) == known
