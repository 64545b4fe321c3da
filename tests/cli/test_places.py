"""What is read and what is written are kept apart, however either is named."""

from pathlib import Path

import pytest

from unskew.cli.places import check_data, check_out, out_folder
from unskew.errors import UserError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    folder = tmp_path / "photos"
    (folder / "cat").mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("out", "data"),
    [
        ("unskew-own-data", "."),
        (".", "."),
        ("cat/new/deep", "../photos"),
        ("../link/new", "../photos"),
        ("new", "../link"),
        ("new", "~/photos"),
        ("../elsewhere/../photos/new", "."),
    ],
)
def test_a_folder_among_the_images_is_refused(photos, out, data):
    with pytest.raises(UserError, match="name a folder outside of it with --out"):
        check_out(Path(out), data)


@pytest.mark.parametrize(
    ("out", "data"),
    [
        ("../out", "."),
        ("../photos-report", "../photos"),
        ("new", "cat"),
        ("new", "../photos.zip"),
        ("new", "~nobody-of-this-name"),
        ("digits/new", "digits"),
    ],
)
def test_any_other_is_taken(photos, out, data):
    (photos / "digits").mkdir()  # what is opened by this name is no folder
    check_out(Path(out), data)


@pytest.mark.parametrize("out", ["", "  "])
def test_an_empty_out_is_not_the_current_folder(out):
    with pytest.raises(UserError, match=r"--out is empty: name a folder, or \. for the current"):
        out_folder(out)
    assert out_folder(".") == Path()


@pytest.mark.parametrize("data", ["", "  "])
def test_an_empty_name_is_no_folder(data):
    with pytest.raises(UserError, match="--data is empty"):
        check_data(data)
    check_data(".")


def test_a_name_that_is_not_utf_8_is_refused_before_anything_is_decoded():
    with pytest.raises(UserError, match="holds bytes that are no UTF-8: rename"):
        check_data("caf\udce9")
