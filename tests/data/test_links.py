"""Links, and what the system does not let be read: no class goes missing without a word."""

import io
import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.data.conftest import class_files, image_bytes, write_folder, write_tar, write_zip
from unskew.data.sources import open_data
from unskew.errors import UserError


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "photos", class_files())


@pytest.mark.parametrize("place", ["train/lynx", "elsewhere", "train"])
def test_a_link_to_a_folder_is_named(folder, tmp_path, place):
    other = write_folder(tmp_path / "other", {f"{k}.png": image_bytes(50 + k) for k in range(3)})
    if (folder / place).exists():
        shutil.rmtree(folder / place)
    (folder / place).symlink_to(other)
    with pytest.raises(UserError, match=f"photos/{place} is a link to a folder, .*: put the"):
        open_data(str(folder))


def test_a_hidden_link_and_one_to_the_whole_are_nobodys_business(folder, tmp_path):
    (folder / ".trash").symlink_to(folder)
    (tmp_path / "link").symlink_to(folder)
    assert len(open_data(str(tmp_path / "link")).train) == 8


def test_a_link_to_a_file_is_read(folder, tmp_path):
    (tmp_path / "far.png").write_bytes(image_bytes(70))
    (folder / "train/cat/near.png").symlink_to(tmp_path / "far.png")
    splits = open_data(str(folder))
    assert (splits.train.counts().tolist(), splits.notes) == ([5, 4], ())


def test_a_class_or_half_that_links_to_nothing_is_said(folder, tmp_path):
    (folder / "lynx").symlink_to(tmp_path / "unplugged")
    splits = open_data(str(folder))
    assert splits.notes == ("1 files were skipped; the first is lynx: a link to nothing",)
    with pytest.raises(UserError, match="lynx is a link to nothing: remove it"):
        open_data(str(folder), strict=True)


def test_test_images_alone_are_not_trained_on(folder, tmp_path):
    shutil.rmtree(folder / "train")
    (folder / "train").symlink_to(tmp_path / "unplugged")
    with pytest.raises(UserError, match=r"photos has test images in test/ but no train/: put"):
        open_data(str(folder))


def linked(name, target, kind):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_links_in_a_tar_are_counted(tmp_path, kind):
    path = write_tar(tmp_path / "photos.tar", class_files(), "w")
    with tarfile.open(path, "a") as archive:
        for k in range(3):
            name = f"train/lynx/{k}.png"
            archive.addfile(linked(name, f"train/cat/{k}.png", kind))
        archive.addfile(linked("otter", "/data/otter", tarfile.SYMTYPE))
        archive.addfile(linked("train/cat/pipe.png", "", tarfile.FIFOTYPE))
    splits = open_data(str(path))
    assert splits.train.class_names == ("cat", "dog")
    assert splits.notes[0].startswith("5 files were skipped; the first is ")
    assert ": a link" in splits.notes[0]
    assert splits.notes[1] == "folders without a readable image are no classes here: 'lynx'"
    with pytest.raises(UserError, match="is a link: remove it"):
        open_data(str(path), strict=True)


def test_links_in_a_zip_are_counted(tmp_path):
    """As `zip --symlinks` writes them."""
    path = write_zip(tmp_path / "photos.zip", class_files())
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("lynx", "train/otter"):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, b"/data/" + name.encode())
    splits = open_data(str(path))
    assert splits.notes == ("2 files were skipped; the first is lynx: a link",)


@pytest.mark.parametrize("kind", ["L", "K", "x", "g", "X"])
def test_a_header_of_any_length_is_not_read_to_memory(tmp_path, kind):
    """Nothing but zeros, packed to a thousandth: a small file must not fill the memory."""
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = kind.encode(), 8 << 20
    path = tmp_path / "photos.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    with pytest.raises(UserError, match=r"damaged \(a header that says it is of 8388608 bytes\)"):
        open_data(str(path))


def test_a_long_name_is_read(tmp_path):
    files = {name.replace("cat", "cat" * 70): data for name, data in class_files().items()}
    splits = open_data(str(write_tar(tmp_path / "photos.tar", files, "w")))
    assert splits.train.class_names == ("cat" * 70, "dog")


@pytest.mark.parametrize("code", [5, 13])
def test_a_file_that_cannot_be_read_now_is_not_left_out_for_ever(folder, monkeypatch, code):
    read = Path.read_bytes

    def refused(path):
        if path.name == "2.png":
            raise OSError(code, os.strerror(code), str(path))
        return read(path)

    with monkeypatch.context() as patch:  # root may read everything
        patch.setattr(Path, "read_bytes", refused)
        words = rf"cannot read .*photos/.*2\.png: {os.strerror(code)}; let it be read or remove it"
        with pytest.raises(UserError, match=words):
            open_data(str(folder))
    assert len(open_data(str(folder)).train) == 8
