"""Whatever has happened to the cache, it is said, and `unskew data clear` mends it."""

import pytest

from tests.data.conftest import class_files, write_folder
from unskew.data.cache import clear_cached, list_cached
from unskew.data.sources import open_data
from unskew.errors import UserError

FILES = ("meta.json", "train-images.npy", "train-labels.npy", "test-images.npy", "test-labels.npy")
LEFT = {
    "nothing": b"",
    "zeros": bytes(200),
    "a list": b"[]",
    "a number": b"3",
    "nested": b"[" * 100_000,
}


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "photos", class_files())


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("name", FILES)
def test_damaged_images_are_named_and_cleared(folder, tmp_path, name, left):
    pixels = open_data(str(folder)).train.images.copy()
    path = next((tmp_path / "cache").rglob(name))
    path.unlink()  # it may be mapped still, and a mapped file must not shrink
    path.write_bytes(LEFT[left])
    with pytest.raises(UserError, match=r"are damaged .*: run `unskew data clear`") as told:
        open_data(str(folder))
    assert str(path.parent) in str(told.value)
    assert [item.path for item in list_cached()] == [path.parent]
    clear_cached()
    assert (open_data(str(folder)).train.images == pixels).all()
