import numpy as np
import pytest

from unskew.data import chunks
from unskew.data.hashes import hashes


@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 9, 3), (1, 1, 1)])
def test_equal_images_and_only_these_hash_alike(shape, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 700)
    images = np.random.default_rng(0).integers(0, 256, (60, *shape), dtype=np.uint8)
    twice = np.concatenate([images, images[[5, 3]]])
    found = hashes(twice)
    assert found.dtype == np.uint64
    assert (found[-2:] == found[[5, 3]]).all()
    distinct = np.unique(images.reshape(60, -1), axis=0)
    assert len(np.unique(found)) == len(distinct)


def test_every_pixel_counts():
    image = np.zeros((1, 9, 9, 3), np.uint8)
    found = {int(hashes(image)[0])}
    for k in range(image.size):
        changed = image.copy()
        changed.flat[k] = 1
        found.add(int(hashes(changed)[0]))
    assert len(found) == image.size + 1


def test_no_images_no_hashes():
    assert hashes(np.empty((0, 4, 4, 3), np.uint8)).shape == (0,)
