"""Whatever has happened to the cache, it is said, and `unskew data clear` mends it."""

import os
import re
import shlex

import numpy as np
import pytest
from filelock import FileLock

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
    words = r"are damaged: run `unskew data clear (photos|damaged)`"
    with pytest.raises(UserError, match=words) as told:
        open_data(str(folder))
    assert str(path.parent) in str(told.value)
    assert [item.path for item in list_cached()] == [path.parent]
    (advised,) = re.findall(r"`unskew data clear ([^`]+)`", str(told.value))
    assert [item.path for item in clear_cached(*shlex.split(advised))] == [path.parent]
    assert (open_data(str(folder)).train.images == pixels).all()


def test_what_a_killed_build_left_is_removed_by_the_next_one(folder, tmp_path):
    path = next_build(folder, tmp_path)
    scrap = path.with_name(f"{path.name}.4711.part")
    scrap.mkdir()
    (scrap / "train-images.npy").write_bytes(bytes(100))
    clear_cached("photos")
    assert scrap.exists()
    open_data(str(folder))
    assert not scrap.exists()


def test_clearing_everything_leaves_what_is_being_built(folder, tmp_path):
    path = next_build(folder, tmp_path)
    left, going_on = (path.with_name(f"{name}.4711.part") for name in ("dead", "alive"))
    for scrap in (left, going_on):
        scrap.mkdir()
    with FileLock(path.with_name("alive.lock")):
        clear_cached()
    assert not left.exists()
    assert going_on.exists()


def test_a_link_to_nothing_among_the_downloads_is_listed_and_cleared(tmp_path):
    downloads = tmp_path / "cache" / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "cifar-10-python.tar.gz").symlink_to(tmp_path / "nothing")
    assert [item.name for item in list_cached()] == ["cifar-10-python.tar.gz"]
    clear_cached()
    assert not list(downloads.iterdir())


def test_others_may_read_what_one_has_cached(folder, tmp_path):
    path = next_build(folder, tmp_path)
    plain = tmp_path / "plain"
    plain.mkdir()
    assert path.stat().st_mode == plain.stat().st_mode


def next_build(folder, tmp_path):
    """Where the folder's images are cached, once they are."""
    open_data(str(folder))
    return next((tmp_path / "cache").rglob("meta.json")).parent


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="this system names no file afterwards")
def test_what_was_decoded_is_not_written_again(folder, monkeypatch):
    written = []
    monkeypatch.setattr(np, "save", lambda path, array: written.append(path.name))
    with pytest.raises(UserError, match="damaged"):  # the labels, which nothing has written
        open_data(str(folder))
    assert written == ["train-labels.npy", "test-labels.npy"]


def test_where_files_cannot_be_named_afterwards_the_cache_is_the_same(folder, tmp_path, request):
    named = open_data(str(folder), cache=tmp_path / "named")
    request.getfixturevalue("never_named")
    copied = open_data(str(folder), cache=tmp_path / "copied")
    assert copied.fingerprint == named.fingerprint
    assert np.array_equal(copied.test.images, named.test.images)
    one, other = (
        sorted((path.name, path.read_bytes()) for path in (tmp_path / where).rglob("*.npy"))
        for where in ("named", "copied")
    )
    assert one == other


def test_who_is_stopped_while_clearing_leaves_nothing_half_there(folder, monkeypatch):
    pixels = open_data(str(folder)).train.images.copy()
    with monkeypatch.context() as stopped:
        stopped.setattr("unskew.data.cache.shutil.rmtree", lambda *_, **__: None)
        clear_cached("photos")
    assert not list_cached()
    assert (open_data(str(folder)).train.images == pixels).all()


def test_two_may_clear_at_once(folder, monkeypatch):
    open_data(str(folder))
    listed = list_cached()
    clear_cached()
    monkeypatch.setattr("unskew.data.cache.list_cached", lambda cache: listed)
    assert clear_cached() == listed


def test_a_cache_whose_name_is_too_long_is_named(folder, monkeypatch):
    monkeypatch.setenv("UNSKEW_CACHE", "/tmp/" + "x" * 300)
    for spec in ("digits", str(folder)):
        with pytest.raises(
            UserError, match=r"cannot cache .*: File name too long; .* UNSKEW_CACHE"
        ):
            open_data(spec)
