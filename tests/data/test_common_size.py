"""The size of a set is that of its images: not of other files, nor of those that come first."""

import pytest

from tests.data.conftest import image_bytes, write_folder, write_tar, write_zip
from unskew.data.decode import header_size
from unskew.data.sources import class_folders, open_data
from unskew.data.sources.common_size import sized
from unskew.data.sources.member import Member

WRITERS = {
    "photos": write_folder,
    "photos.zip": write_zip,
    "photos.tar": lambda path, files: write_tar(path, files, "w"),
}


def images(side, count=40, form="PNG"):
    """Images of two classes; the other names sort before theirs, and so come first."""
    return {
        f"{kind}/{side}-{k}.img": image_bytes(k, form, (side, side))
        for kind in ("cat", "dog")
        for k in range(count)
    }


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("first", "rest", "size"),
    [
        ({f"cat/0-{k}.txt": b"no image" for k in range(40)}, images(48), 48),
        ({f"cat/0-{k}.png": image_bytes(k)[:60] for k in range(40)}, images(48), 48),
        ({f"0-{k}.png": image_bytes(k) for k in range(40)}, images(48), 48),
        (images(24), images(48), 32),
        (images(48), images(24), 32),
        (images(24), images(80, 2), 32),
        ({}, images(20), 32),
        ({}, images(24, 4, "JPEG"), 24),
        ({}, images(24, 4, "GIF"), 24),
    ],
    ids=["texts", "damaged", "loose", "two", "other way", "icons", "odd", "jpeg", "gif"],
)
def test_it_is_the_images_that_say_the_size(tmp_path, name, first, rest, size):
    path = WRITERS[name](tmp_path / name, first | rest)
    assert open_data(str(path)).train.image_shape == (size, size, 3)
    if first:
        assert open_data(str(path), image_size=16).train.image_shape == (16, 16, 3)


@pytest.mark.parametrize(("side", "kept"), [(70, 32), (48, 48)])
def test_the_first_image_is_enough_to_begin_with(side, kept):
    def photos():
        yield Member(("cat", "0.txt"), b"no image")
        yield Member(("cat", "1.png"), image_bytes(0, size=(side, side)))
        yield Member(("cat", "2.png"), b"never asked")

    files, size = sized(photos())
    assert size == kept
    assert [file.parts[1] for file in files] == ["0.txt", "1.png", "2.png"]


def test_images_of_one_size_are_read_once(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "photos.zip", images(48))
    read = []
    original = class_folders.members
    monkeypatch.setattr(
        class_folders, "members", lambda *given: read.append(given) or original(*given)
    )
    open_data(str(path))
    assert len(read) == 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_a_header_says_height_and_width(form):
    data = image_bytes(0, form, (20, 30))
    assert header_size(data) == (20, 30)
    for cut in range(0, 40, 3):
        assert header_size(data[:cut]) in (None, (20, 30))
    assert header_size(b"no image") is None
