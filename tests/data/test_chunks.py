"""What goes through a whole set holds a piece of it, however large its images are."""

import tracemalloc

import numpy as np
import pytest

from unskew.data import chunks as module
from unskew.data.batches import whole
from unskew.data.chunks import CHUNK_BYTES, chunks
from unskew.data.hashes import hashes
from unskew.data.imageset import ImageSet
from unskew.data.normalise import channel_statistics
from unskew.data.patches import patch_second_moment
from unskew.data.scratch import select


@pytest.mark.parametrize(("side", "most"), [(32, None), (224, None), (32, 500), (3000, None)])
def test_slices_follow_each_other_and_hold_at_least_one_image(side, most):
    images = np.broadcast_to(np.uint8(0), (9000, side, side, 3))
    found = list(chunks(images, 7000, most))
    assert [k for some in found for k in range(7000)[some]] == list(range(7000))
    for some in found:
        count = some.stop - some.start
        assert count == 1 or count * side * side * 3 <= CHUNK_BYTES
        assert count <= (most or count)


def test_no_images_no_chunks():
    assert not list(chunks(np.empty((0, 4, 4, 3), np.uint8)))
    assert not list(chunks(np.empty((3, 0, 0, 3), np.uint8), 0))


PASSES = {
    "statistics": lambda images: channel_statistics(whole(images)),
    "hashes": lambda images: [hashes(images.images)],
    "select": lambda images: [select(images.images, np.arange(len(images))[::-1], None)],
    "patches": lambda images: [
        patch_second_moment(whole(images), np.zeros(3, np.float32), np.ones(3, np.float32), 2)
    ],
}


@pytest.mark.parametrize("name", PASSES)
def test_memory_does_not_grow_with_the_size_of_the_images(name, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 32, 32, 3)).astype(np.uint8)
    images = ImageSet(pixels, np.zeros(400, np.int64), ("a",))
    at_once = PASSES[name](images)
    monkeypatch.setattr(module, "CHUNK_BYTES", 10 * pixels[0].nbytes)
    tracemalloc.start()
    in_pieces = PASSES[name](images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A patch is 12 float32 and is held twice: that is 48 times a piece's own bytes.
    assert peak < pixels.nbytes * (2.5 if name == "patches" else 0.4)
    for one, other in zip(at_once, in_pieces, strict=True):
        if name == "patches":  # sums of float32, which know no order but up to rounding
            np.testing.assert_allclose(one, other, rtol=1e-5)
        else:
            assert np.array_equal(one, other)
