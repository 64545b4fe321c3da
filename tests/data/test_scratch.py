import gc
import os
from pathlib import Path

import numpy as np
import pytest

from unskew.data import chunks
from unskew.data.scratch import ScratchImages, keep, select

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 4, 6, 3), dtype=np.uint8)

nameable = pytest.mark.skipif(
    not hasattr(os, "O_TMPFILE"), reason="this system names no file afterwards"
)


@pytest.fixture(params=["named later", "never named"])
def system(request):
    """One that names files afterwards if it can, and one that cannot."""
    if request.param == "never named":
        request.getfixturevalue("never_named")


def pile_of(images, folder) -> ScratchImages:
    pile = ScratchImages(folder)
    pile.add(images)
    return pile


@pytest.mark.usefixtures("system")
def test_images_come_back_in_order(tmp_path):
    pile = ScratchImages(tmp_path)
    for image in IMAGES[:20]:
        pile.add(image)
    pile.add(IMAGES[20:])
    assert len(pile) == 50
    array = pile.array()
    assert np.array_equal(array, IMAGES)
    assert not array.flags.writeable


@pytest.mark.usefixtures("system")
def test_the_arrays_outlive_the_pile_and_leave_nothing_behind(tmp_path):
    array = pile_of(IMAGES, tmp_path).array()
    part = array[7:]
    del array
    gc.collect()
    assert np.array_equal(part, IMAGES[7:])
    assert list(tmp_path.iterdir()) == []


def test_a_pile_without_a_folder_lies_in_the_systems():
    assert np.array_equal(pile_of(IMAGES, None).array(), IMAGES)


def test_a_view_that_is_not_contiguous_is_copied_as_it_looks(tmp_path):
    pile = pile_of(IMAGES[:, ::-1], tmp_path)
    assert np.array_equal(pile.array(), IMAGES[:, ::-1])


def test_an_empty_pile_says_so(tmp_path):
    with pytest.raises(ValueError, match="empty"):
        ScratchImages(tmp_path).array()


@pytest.mark.usefixtures("system")
def test_selecting_goes_chunk_by_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 7 * IMAGES[0].nbytes)
    positions = np.random.default_rng(1).permutation(50)[:33]
    assert np.array_equal(select(IMAGES, positions, tmp_path), IMAGES[positions])


@nameable
@pytest.mark.parametrize("count", [1, 9, 10, 50])
def test_a_kept_pile_is_the_file_that_numpy_would_have_written(count, tmp_path):
    array = pile_of(IMAGES[:count], tmp_path).array()
    np.save(tmp_path / "numpys.npy", IMAGES[:count])
    assert keep(array, tmp_path / "kept.npy")
    assert (tmp_path / "kept.npy").read_bytes() == (tmp_path / "numpys.npy").read_bytes()
    assert (tmp_path / "kept.npy").stat().st_mode == (tmp_path / "numpys.npy").stat().st_mode
    assert np.array_equal(array, IMAGES[:count])


def test_what_cannot_be_kept_is_said_and_nothing_written(tmp_path, request):
    array = pile_of(IMAGES, tmp_path).array()
    assert not keep(array[1:], tmp_path / "part.npy")
    assert not keep(IMAGES, tmp_path / "no-pile.npy")
    assert not keep(array, tmp_path / "no-such-folder" / "kept.npy")
    request.getfixturevalue("never_named")
    assert not keep(pile_of(IMAGES, tmp_path).array(), tmp_path / "never-named.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_os_error(tmp_path):
    pile = pile_of(IMAGES, tmp_path)
    pile._file.close()
    pile._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    with pytest.raises(OSError, match="No space"):
        pile.add(IMAGES)
