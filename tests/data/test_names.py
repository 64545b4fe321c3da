"""Names of classes: two that differ are two, and two that look the same are one."""

import unicodedata

import pytest

from tests.data.conftest import class_files, write_folder, write_tar, write_zip
from unskew.data.names import readable
from unskew.data.sources import open_data
from unskew.data.sources.member import plain

WRITERS = {
    "photos": write_folder,
    "photos.zip": write_zip,
    "photos.tar": lambda path, files: write_tar(path, files, "w"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_accents_apart_and_together_are_one_class(tmp_path, name):
    """macOS took them apart where a half was copied from; Linux did not."""
    together, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    files = {
        path.replace("cat", apart if path.startswith("test") else together): data
        for path, data in class_files().items()
    }
    splits = open_data(str(WRITERS[name](tmp_path / name, files)))
    assert splits.train.class_names == (together, "dog")
    assert splits.test.counts().tolist() == [4, 4]


@pytest.mark.parametrize("name", WRITERS)
def test_files_whose_names_only_read_alike_are_two(tmp_path, name):
    """One folder of each spelling, the same file names in both: one class, and all its images."""
    together, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    files = class_files(classes=("cat", "dog"))
    files |= {path.replace("cat", apart): data for path, data in files.items() if "cat" in path}
    files = {path.replace("cat", together): data for path, data in files.items()}
    splits = open_data(str(WRITERS[name](tmp_path / name, files)), strict=True)
    assert splits.train.class_names == (together, "dog")
    assert splits.train.counts().tolist() == [8, 4]
    assert not any("again" in note for note in splits.notes)


@pytest.mark.parametrize("name", ["photos", "photos.tar"])
def test_bytes_that_are_no_text_do_not_make_one_class_of_two(tmp_path, name):
    files = class_files(classes=("caf\udce9", "caf\udcea"))
    splits = open_data(str(WRITERS[name](tmp_path / name, files)))
    assert splits.train.class_names == (r"caf\xe9", r"caf\xea")
    assert splits.train.counts().tolist() == [4, 4]


def test_what_is_hidden_or_outside_is_no_member():
    assert plain("a\\b/c.png") == ("a", "b", "c.png")
    for name in ("/a/b.png", "\\b.png", "../a/b.png", "a/.b/c.png", "a/.c.png", "a/", ""):
        assert plain(name) is None
    assert readable("caf\udce9") == r"caf\xe9"


def test_what_controls_a_terminal_is_written_out():
    assert readable("a\x1b[31mred\x07\n") == r"a\x1b[31mred\x07\x0a"
    assert readable("é\x9b31m") == "é\\x9b31m"
    assert readable("plain name-1.png") == "plain name-1.png"


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar"])
def test_one_path_however_it_is_written_is_one_file(tmp_path, name):
    """An archive that was appended to by another program; the last of a path counts."""
    files = class_files()
    path = next(path for path in files if "cat" in path)
    splits = open_data(str(WRITERS[name](tmp_path / name, {f"./{path}": files[path], **files})))
    assert splits.train.counts().tolist() == [4, 4]
    assert "1 files are in the archive again, further on: the last of each counts" in splits.notes
