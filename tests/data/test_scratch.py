from pathlib import Path

import numpy as np
import pytest

from unskew.data import chunks
from unskew.data.scratch import ScratchImages, select

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 4, 6, 3), dtype=np.uint8)


@pytest.fixture(params=["in memory", "on disk", "on disk after a while"], autouse=True)
def room(request, monkeypatch):
    """A pile that stays in memory, one that goes to disk at once, and one after the first image."""
    most = {"in memory": 1 << 20, "on disk": 0, "on disk after a while": IMAGES[0].nbytes}
    monkeypatch.setattr("unskew.data.scratch.IN_MEMORY", most[request.param])


def test_images_come_back_in_order(tmp_path):
    pile = ScratchImages(tmp_path)
    for image in IMAGES[:20]:
        pile.add(image)
    pile.add(IMAGES[20:])
    assert len(pile) == 50
    assert np.array_equal(pile.array(), IMAGES)
    assert not pile.array().flags.writeable


def test_the_arrays_outlive_the_pile_and_leave_nothing_behind(tmp_path):
    pile = ScratchImages(tmp_path)
    pile.add(IMAGES)
    array = pile.array()
    del pile
    assert np.array_equal(array, IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_a_view_that_is_not_contiguous_is_copied_as_it_looks(tmp_path):
    pile = ScratchImages(tmp_path)
    pile.add(IMAGES[:, ::-1])
    assert np.array_equal(pile.array(), IMAGES[:, ::-1])


def test_selecting_goes_chunk_by_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 7 * IMAGES[0].nbytes)
    positions = np.random.default_rng(1).permutation(50)[:33]
    assert np.array_equal(select(IMAGES, positions, tmp_path), IMAGES[positions])


def test_a_full_disk_is_an_os_error(tmp_path):
    pile = ScratchImages(tmp_path)
    pile._pile.close()
    pile._pile = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    with pytest.raises(OSError, match="No space"):
        pile.add(IMAGES)
