"""Folders and archives of class folders: the same images however they come, and every fault."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import tracemalloc
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import class_files, image_bytes, write_folder, write_tar, write_zip
from unskew.data.sources import decoding, open_data
from unskew.errors import UserError


def zstd_tar(path, files):
    zstandard = pytest.importorskip("zstandard")
    buffer = io.BytesIO()
    plain = write_tar(path.with_suffix(".plain"), files, "w")
    buffer.write(plain.read_bytes())
    path.write_bytes(zstandard.ZstdCompressor().compress(buffer.getvalue()))
    return path


WRITERS = {
    "photos": write_folder,
    "photos.zip": write_zip,
    "photos.tar": lambda path, files: write_tar(path, files, "w"),
    "photos.tar.gz": write_tar,
    "photos.tar.xz": lambda path, files: write_tar(path, files, "w:xz"),
    "photos.tar.zst": zstd_tar,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_container_gives_the_same_images(tmp_path, name):
    files = class_files()
    splits = open_data(str(WRITERS[name](tmp_path / name, files)))
    reference = open_data(str(write_folder(tmp_path / "reference", files)))
    assert splits.name == "photos"
    assert splits.train.class_names == ("cat", "dog")
    assert splits.train.counts().tolist() == [4, 4]
    assert splits.test.counts().tolist() == [4, 4]
    assert splits.fingerprint == reference.fingerprint
    assert splits.notes == ()
    first = np.asarray(Image.open(io.BytesIO(files["train/cat/0.png"])))
    assert (splits.train.images == first).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize("name", ["photos", "photos.zip", "photos.tar.gz"])
def test_the_order_of_an_archive_does_not_matter(tmp_path, name):
    files = class_files()
    mixed = dict(sorted(files.items(), key=lambda item: item[0][::-1]))
    assert list(mixed) != sorted(mixed)
    splits = open_data(str(WRITERS[name](tmp_path / name, mixed)))
    reference = open_data(str(write_folder(tmp_path / "reference", files)))
    assert splits.fingerprint == reference.fingerprint
    assert (splits.train.images == reference.train.images).all()


def test_a_zip_that_lies_about_its_sizes_takes_no_memory(tmp_path):
    path = write_zip(tmp_path / "a.zip", class_files())
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 20 : entry + 24] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(
        UserError, match=r"a\.zip is truncated or damaged .*larger than the archive"
    ):
        open_data(str(path))


def test_a_zip_of_an_unknown_method_is_said_to_be_one(tmp_path):
    path = write_zip(tmp_path / "a.zip", class_files())
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 10 : at + 12] = (9).to_bytes(2, "little")  # deflate64
        at += 4
    path.write_bytes(data)
    with pytest.raises(UserError, match="packed by a method that Python cannot unpack"):
        open_data(str(path))


def test_files_that_are_large_are_decoded_a_few_at_a_time(tmp_path, monkeypatch):
    files = class_files()
    reference = open_data(str(write_folder(tmp_path / "reference", files)))
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 1)
    splits = open_data(str(write_zip(tmp_path / "photos.zip", files)))
    assert splits.fingerprint == reference.fingerprint


def test_the_second_opening_maps_the_cache_and_decodes_nothing(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "a.zip", class_files())
    first = open_data(str(path))
    monkeypatch.setattr("unskew.data.sources.decoding.decode_into", None)
    second = open_data(str(path))
    assert isinstance(second.train.images, np.memmap)
    assert second.fingerprint == first.fingerprint
    assert (second.train.images == first.train.images).all()


def test_a_changed_source_is_read_again(tmp_path):
    path = tmp_path / "a.zip"
    before = open_data(str(write_zip(path, class_files())))
    after = open_data(str(write_zip(path, class_files(per_class=5))))
    assert (len(before.train), len(after.train)) == (8, 10)


def test_without_a_test_half_a_stratified_split_is_made_and_noted(tmp_path):
    splits = open_data(str(write_zip(tmp_path / "a.zip", class_files(("",), per_class=10))))
    assert splits.train.counts().tolist() == [8, 8]
    assert splits.test.counts().tolist() == [2, 2]
    assert "stratified 20% (4 images)" in splits.notes[0]


def test_large_photos_are_resized_and_small_ones_left_alone(tmp_path):
    files = {k: image_bytes(i, "JPEG", (90, 120)) for i, k in enumerate(class_files())}
    path = write_zip(tmp_path / "a.zip", files)
    assert open_data(str(path)).train.image_shape == (32, 32, 3)
    assert open_data(str(path), image_size=48).train.image_shape == (48, 48, 3)
    small = write_zip(tmp_path / "b.zip", class_files())
    assert open_data(str(small)).train.image_shape == (16, 16, 3)


def test_damaged_files_are_skipped_with_a_count_or_refused_when_strict(tmp_path):
    files = class_files() | {
        "train/cat/note.txt": b"not an image",
        "train/dog/cut.png": image_bytes(99)[:60],
        "train/dog/cut.jpg": image_bytes(98, "JPEG")[:300],
    }
    path = str(write_zip(tmp_path / "a.zip", files))
    splits = open_data(path)
    assert len(splits.train) == 8
    assert splits.notes[0].startswith("3 files were skipped; the first is train/cat/note.txt")
    with pytest.raises(UserError, match=r"train/cat/note\.txt is not an image"):
        open_data(path, strict=True)


def test_test_images_among_the_training_images_are_named(tmp_path):
    files = class_files()
    files["test/cat/0.png"] = files["train/cat/0.png"]
    splits = open_data(str(write_zip(tmp_path / "a.zip", files)))
    assert splits.notes == (
        "1 of the test images are also among the training images: accuracy is flattered",
    )


def test_hostile_paths_and_hidden_files_are_not_read(tmp_path):
    files = class_files() | {
        "../escape/cat/0.png": image_bytes(50),
        "/abs/cat/0.png": image_bytes(51),
        "__MACOSX/train/cat/._0.png": b"x",
        "train/cat/.hidden.png": image_bytes(52),
    }
    splits = open_data(str(write_tar(tmp_path / "a.tar.gz", files)))
    assert splits.train.counts().tolist() == [4, 4]
    assert splits.notes == (
        "2 files were skipped; the first is ../escape/cat/0.png: a path that leads out of the "
        "archive",
    )


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar.gz"])
def test_a_class_outside_of_the_archive_is_not_left_out_unsaid(tmp_path, name):
    files = class_files(("",)) | {f"../bird/{k}.png": image_bytes(60 + k) for k in range(3)}
    path = WRITERS[name](tmp_path / name, files)
    assert (
        "folders without a readable image are no classes here: 'bird'" in open_data(str(path)).notes
    )
    with pytest.raises(UserError, match="leads out of the archive: remove it or leave out"):
        open_data(str(path), strict=True)


def only(files, word):
    return {name: data for name, data in files.items() if word in name}


PLACES = [("cat", "indoor"), ("cat", "outdoor"), ("dog", "indoor"), ("dog", "outdoor")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no images in class folders"),
        ({"cat.png": image_bytes(0)}, "holds no images in class folders"),
        (only(class_files(), "cat"), "holds one class only .cat."),
        (
            {**only(class_files(("",)), "cat"), "dog/0.png": image_bytes(9)},
            "class 'dog' has one image",
        ),
        (
            {k: v for k, v in class_files().items() if not k.startswith("test/dog")},
            "class 'dog' has no images in .*test",
        ),
        (class_files() | class_files(("",)), "keep one layout"),
        (
            {f"{kind}/{place}/{k}.png": image_bytes(k) for k, (kind, place) in enumerate(PLACES)},
            "images in cat/indoor and in dog/indoor, so that it is unclear what the classes are",
        ),
        (
            class_files(("",)) | {"cat/2021/0.png": image_bytes(70)},
            "images in cat and in cat/2021, so that",
        ),
        (
            {f"{kind}/images/{k}.png": image_bytes(k) for k, (kind, _) in enumerate(PLACES)},
            "images in cat/images and in dog/images, so that",
        ),
        (
            {f"{kind}/{k}.heic": b"no known format" for k, (kind, _) in enumerate(PLACES)},
            r"no images in class folders \(4 files were skipped; the first is cat/0.heic: not an ",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["photos", "photos.zip"])
def test_too_little_to_learn_from_is_one_clear_sentence(tmp_path, files, words, kind):
    path = WRITERS[kind](tmp_path / kind, files)
    path.mkdir(exist_ok=True) if kind == "photos" else None
    with pytest.raises(UserError, match=words) as error:
        open_data(str(path))
    assert "photos" in str(error.value)
    assert not list((tmp_path / "cache").rglob("*.npy"))


DAMAGED = r"truncated or damaged .*fetch or pack it again"


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "photos"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_archive_is_named(tmp_path, name, share):
    path = WRITERS[name](tmp_path / name, class_files(per_class=30))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match=DAMAGED):
        open_data(str(path))
    assert not list((tmp_path / "cache").rglob("*.npy"))


def headers(path):
    """Where the headers of a plain tar's members lie."""
    with tarfile.open(path) as archive:
        return [entry.offset for entry in archive]


@pytest.mark.parametrize("into", [0, 100, 512])
def test_a_tar_that_is_cut_at_a_header_does_not_pass_for_a_shorter_one(tmp_path, into):
    path = write_tar(tmp_path / "photos.tar", class_files(per_class=30), "w")
    path.write_bytes(path.read_bytes()[: headers(path)[60] + into])
    with pytest.raises(UserError, match=DAMAGED):
        open_data(str(path))


def test_a_tar_with_one_wrong_byte_in_a_header_does_not_pass_for_a_shorter_one(tmp_path):
    path = write_tar(tmp_path / "photos.tar", class_files(per_class=30), "w")
    data, at = bytearray(path.read_bytes()), headers(path)[60] + 10
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=DAMAGED):
        open_data(str(path))


def test_what_was_packed_is_held_against_its_checksum(tmp_path):
    path = write_tar(tmp_path / "photos.tar.gz", class_files(per_class=30))
    data = bytearray(path.read_bytes())
    data[-8] ^= 1  # gzip's checksum, the last thing but the length
    path.write_bytes(data)
    with pytest.raises(UserError, match=DAMAGED):
        open_data(str(path))


def test_archives_of_several_streams_are_read_whole(tmp_path):
    """As pbzip2 and `cat a.gz b.gz` write them."""
    files = class_files()
    plain = write_tar(tmp_path / "plain.tar", files, "w").read_bytes()
    wanted = open_data(str(tmp_path / "plain.tar")).fingerprint
    packers = {"bz2": bz2.compress, "gz": gzip.compress, "xz": lzma.compress}
    with suppress(ImportError):
        packers["zst"] = __import__("zstandard").ZstdCompressor().compress
    for ending, pack in packers.items():
        path = tmp_path / f"photos.tar.{ending}"
        path.write_bytes(pack(plain[:5000]) + pack(plain[5000:]))
        assert open_data(str(path)).fingerprint == wanted


@pytest.mark.parametrize("kind", ["photos.zip", "photos.tar", "photos.tar.gz", "photos.tar.bz2"])
def test_rubbish_called_an_archive_is_named(tmp_path, kind):
    for rubbish in (
        b"",
        b"\x1f\x8b\x08",
        b"BZh9",
        bytes(1024),
        b"PK\x03\x04" + bytes(40),
        b"x" * 700,
    ):
        path = tmp_path / kind
        path.write_bytes(rubbish)
        with pytest.raises(UserError, match=r"truncated or damaged|holds no images"):
            open_data(str(path))


def test_a_name_in_the_directory_that_is_no_utf8_is_damage(tmp_path):
    path = write_zip(tmp_path / "photos.zip", {**class_files(), "train/katze-ä/0.png": b"x"})
    data = path.read_bytes()
    at = data.rindex("ä".encode())
    path.write_bytes(data[:at] + b"\xff\xff" + data[at + 2 :])
    with pytest.raises(UserError, match=DAMAGED):
        open_data(str(path))


def test_names_of_other_alphabets_can_be_written(tmp_path):
    """A tar keeps the bytes of a system that wrote no UTF-8."""
    files = {name.replace("cat", "caf\udce9"): data for name, data in class_files().items()}
    splits = open_data(str(write_tar(tmp_path / "a.tar.gz", files)))
    assert splits.train.class_names == (r"caf\xe9", "dog")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xffotos"))
    assert open_data(str(write_folder(folder, class_files()))).name == r"f\xffotos"


def test_what_the_system_refuses_is_not_blamed_on_the_cache(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "photos.zip", class_files())

    def refused(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("unskew.data.sources.zips.zipfile.ZipFile", refused)
    with pytest.raises(UserError, match=r"cannot read .*photos\.zip: Permission denied"):
        open_data(str(path))


def test_a_class_without_images_is_said_to_be_left_out(tmp_path):
    files = class_files() | {"train/lynx/0.heic": b"ftypheic", "train/list.csv": b"0.png,cat"}
    folder = write_folder(tmp_path / "photos", files)
    (folder / "train" / "otter").mkdir()
    splits = open_data(str(folder))
    assert splits.train.class_names == ("cat", "dog")
    assert splits.notes[0].startswith("2 files were skipped")
    assert splits.notes[1] == (
        "folders without a readable image are no classes here: 'lynx', 'otter'"
    )
    for name in ("train/lynx/0.heic", "train/list.csv"):
        (folder / name).unlink()
    with pytest.raises(UserError, match="class 'lynx' has no image"):
        open_data(str(folder), strict=True)


def test_images_outside_of_class_folders_are_counted(tmp_path):
    files = class_files() | {"stray.png": image_bytes(70), "README.txt": b"hello"}
    path = str(write_zip(tmp_path / "photos.zip", files))
    assert open_data(path).notes == (
        "1 images in no class folder were left out, stray.png among them",
    )
    with pytest.raises(UserError, match=r"stray\.png is in no class folder"):
        open_data(path, strict=True)


def test_train_and_test_without_class_folders_are_no_classes(tmp_path):
    files = {f"{half}/{k}.png": image_bytes(k) for half in ("train", "Test") for k in range(5)}
    with pytest.raises(UserError, match=r"no class folders there: .*one folder a class"):
        open_data(str(write_folder(tmp_path / "photos", files)))


def test_two_test_halves_are_taken_together_and_that_is_said(tmp_path):
    files = class_files() | {k.replace("test/", "val/"): image_bytes(80 + n) for n, k in
                             enumerate(only(class_files(), "test/"))}  # fmt: skip
    splits = open_data(str(write_zip(tmp_path / "photos.zip", files)))
    assert len(splits.test) == 16
    assert splits.notes == ("the test images are those of test and val together",)


def test_a_home_that_nobody_has(tmp_path):
    with pytest.raises(UserError, match="home of somebody who is not known"):
        open_data("~nobody-of-this-name/photos")


def test_resizing_is_for_class_folders(tmp_path):
    for size in (0, -8, 2049, 10**20):
        with pytest.raises(UserError, match=rf"image_size = {size}, but it must be 1 to 2048"):
            open_data(str(tmp_path), image_size=size)
    with pytest.raises(UserError, match="image_size acts on images in class folders"):
        open_data("digits", image_size=64)


def test_no_such_path_and_no_archive(tmp_path):
    with pytest.raises(UserError, match="no data at '/nowhere'"):
        open_data("/nowhere")
    (tmp_path / "a.rar").write_bytes(b"x")
    with pytest.raises(UserError, match="neither a folder nor an archive"):
        open_data(str(tmp_path / "a.rar"))


@pytest.mark.parametrize(
    "error", [OSError(28, os.strerror(28)), OSError("6144 requested and 4096 written")]
)
def test_a_full_disk_leaves_no_half_cache(tmp_path, monkeypatch, error):
    """NumPy's own writing gives no reason, only how far it got."""

    def full(*_):
        raise error

    path = str(write_zip(tmp_path / "a.zip", class_files()))
    monkeypatch.setattr("unskew.data.cache.np.save", full)
    with pytest.raises(UserError, match="disk is full"):
        open_data(path)
    assert not [p for p in (tmp_path / "cache" / "images").iterdir() if p.suffix != ".lock"]


@pytest.mark.parametrize(
    ("error", "words"),
    [(OSError(30, "Read-only file system"), "Read-only file system"), (OSError("odd"), "odd")],
)
def test_what_the_system_says_of_the_cache_is_passed_on(tmp_path, monkeypatch, error, words):
    def refused(*_):
        raise error

    monkeypatch.setattr("unskew.data.cache.fingerprint", refused)
    path = str(write_zip(tmp_path / "a.zip", class_files()))
    with pytest.raises(UserError, match=f"cannot cache decoded images in .*: {words}; make room"):
        open_data(path)


def test_every_spelling_of_a_path_is_one_entry_of_the_cache(tmp_path, monkeypatch):
    write_folder(tmp_path / "photos", class_files())
    write_zip(tmp_path / "more.zip", class_files())
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "more.zip"):
        found = {
            str(open_data(spelt).train.images.filename)
            for spelt in (name, f"./{name}", str(tmp_path / name), f"photos/../{name}")
        }
        assert len(found) == 1


def test_only_the_reader_touches_what_the_process_is_warned_of(tmp_path, monkeypatch):
    """The filters are the process's: threads that set and restore them undo each other."""
    entered = []

    class Watched(warnings.catch_warnings):
        def __enter__(self):
            entered.append(threading.current_thread())
            return super().__enter__()

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # of which Pillow warns
    path = str(write_folder(tmp_path / "photos", class_files(per_class=80)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        monkeypatch.setattr(warnings, "catch_warnings", Watched)
        open_data(path)
        assert warnings.filters == before
    assert not [str(one.message) for one in told if "PIL" in one.filename]
    assert set(entered) == {threading.main_thread()}


def test_digits_are_real_stratified_and_need_no_network():
    splits = open_data("digits")
    assert splits.train.image_shape == (32, 32, 3)
    assert len(splits.train) + len(splits.test) == 1797
    shares = splits.test.counts() / (splits.test.counts() + splits.train.counts())
    assert np.abs(shares - 0.2).max() < 0.005
    assert open_data("digits").fingerprint == splits.fingerprint


def test_what_is_no_readable_file_is_skipped_and_said(tmp_path):
    folder = write_folder(tmp_path / "photos", class_files())
    os.mkfifo(folder / "train/cat/pipe.png")
    (folder / "train/cat/gone.png").symlink_to(tmp_path / "nothing")
    os.link(folder / "train/cat/0.png", os.fsencode(folder / "train/cat") + b"/\xff.png")
    splits = open_data(str(folder))
    assert splits.train.counts().tolist() == [5, 4]
    assert splits.notes[0].startswith(
        "2 files were skipped; the first is train/cat/gone.png: a link to nothing"
    )
    with pytest.raises(
        UserError, match=r"gone\.png is a link to nothing|pipe\.png is not a plain file"
    ):
        open_data(str(folder), strict=True)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "photos", class_files())

    def walk(root, onerror):
        onerror(PermissionError(13, "Permission denied", f"{root}/train/cat"))
        return iter(())

    monkeypatch.setattr("unskew.data.sources.folder.os.walk", walk)  # root may read everything
    with pytest.raises(UserError, match=r"cannot read the folder .*train/cat: Permission denied"):
        open_data(str(folder))


@pytest.mark.parametrize("around", ["training", "test", "Train/photos"])
def test_what_lies_around_both_halves_may_have_any_name(tmp_path, around):
    files = {f"{around}/{name}": data for name, data in class_files().items()}
    splits = open_data(str(write_zip(tmp_path / "photos.zip", files)))
    assert splits.train.counts().tolist() == [4, 4]
    assert splits.test.counts().tolist() == [4, 4]
    assert splits.notes == ()


def test_a_validation_half_that_serves_as_the_test_is_noted(tmp_path):
    splits = open_data(str(write_folder(tmp_path / "photos", class_files(("train/", "val/")))))
    assert splits.notes == ("the test images are those of val, for want of others",)


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar"])
def test_of_a_file_that_is_in_an_archive_twice_the_last_counts(tmp_path, name):
    files = class_files()
    once = open_data(str(WRITERS[name](tmp_path / f"once-{name}", files)))
    # What was first, and was changed afterwards.
    old = {path: image_bytes(80) for path in list(files)[:3]}
    path = tmp_path / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of its own
        if name == "photos.zip":
            with zipfile.ZipFile(path, "w") as archive:
                for entry, data in (*old.items(), *files.items()):
                    archive.writestr(entry, data)
        else:
            with tarfile.open(path, "w") as archive:
                for entry, data in (*old.items(), *files.items()):
                    header = tarfile.TarInfo(entry)
                    header.size = len(data)
                    archive.addfile(header, io.BytesIO(data))
    found = open_data(str(path))
    assert found.fingerprint == once.fingerprint
    assert found.notes == ("3 files are in the archive again, further on: the last of each counts",)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_by_other_methods_is_read_and_no_further_than_it_says(tmp_path, method):
    files = class_files()
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    reference = open_data(str(write_folder(tmp_path / "reference", files)))
    assert open_data(str(path)).fingerprint == reference.fingerprint
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", method) as archive:
        archive.writestr("cat/0.png", bytes(1 << 28))
    content = bytearray(bomb.read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (100).to_bytes(4, "little")  # its size, it says
    bomb.write_bytes(bytes(content))
    tracemalloc.start()
    with pytest.raises(UserError, match=r"cat/0.png does not match its checksum"):
        open_data(str(bomb))
    assert tracemalloc.get_traced_memory()[1] < 1 << 25
    tracemalloc.stop()


def test_images_that_change_places_are_decoded_anew(tmp_path):
    """Of one size and one time, as when labels are put right: only the entries have changed."""
    folder = write_folder(tmp_path / "photos", class_files(("",)))
    for file in folder.rglob("*.png"):
        file.write_bytes(file.read_bytes().ljust(4000, b"\0"))
        os.utime(file, (1, 1))
    before = open_data(str(folder)).fingerprint
    for name in ("0.png", "1.png"):
        cat, dog, away = folder / "cat" / name, folder / "dog" / name, tmp_path / "away"
        cat.rename(away)
        dog.rename(cat)
        away.rename(dog)
    assert open_data(str(folder)).fingerprint != before


def test_an_empty_folder_that_appears_later_is_noted(tmp_path):
    folder = write_folder(tmp_path / "photos", class_files(("",)))
    open_data(str(folder))
    (folder / "bird").mkdir()
    assert any("'bird'" in note for note in open_data(str(folder)).notes)


@pytest.mark.parametrize("spec", ["", "  "])
def test_no_data_at_all_are_not_the_current_folder(spec):
    with pytest.raises(UserError, match="no data are named: give a folder"):
        open_data(spec)


def test_half_a_pixel_is_refused(tmp_path):
    folder = write_folder(tmp_path / "photos", class_files(("",)))
    with pytest.raises(UserError, match="1 to 2048 whole pixels"):
        open_data(str(folder), image_size=32.5)
