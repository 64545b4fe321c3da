"""One call for every source of labelled images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from numbers import Integral
from pathlib import Path

from unskew.data.cache import images_folder, open_cached
from unskew.data.imageset import ImageSet, Splits
from unskew.errors import UserError

KNOWN = {
    "digits": "1,797 handwritten digits, 32×32; comes with scikit-learn, needs no download",
    "cifar10": "60,000 photographs of 10 kinds of things, 32×32; downloaded once (170 MB)",
}
"""Data sets with a name, and what each is."""

Progress = Callable[[str, int, int], None]


def open_data(
    spec: str,
    *,
    cache: Path | None = None,
    strict: bool = False,
    image_size: int | None = None,
    progress: Progress | None = None,
) -> Splits:
    """Open labelled images by name or path, decoded and memory-mapped.

    The first opening decodes and caches; every later one maps the cache.

    Parameters
    ----------
    spec: "digits", "cifar10", or the path of a folder or archive (.zip, .tar, .tar.gz, .tar.xz,
        .tar.zst) of class folders, or of an official CIFAR-10 archive or its unpacked folder.
    cache: folder for decoded images and downloads; see `cache_folder`.
    strict: refuse damaged files instead of skipping them with a note.
    image_size: height and width to resize to, in pixels; None: see `read_class_folders`.
    progress: called with (what is done, done, total) while something takes time.

    Raises
    ------
    UserError: there is no such thing, it cannot be read, or cannot be cached.
    """
    from unskew.data.sources import cifar10
    from unskew.data.sources.digits import read_digits

    if not str(spec).strip():  # as of a shell's variable that is not set
        raise UserError(
            f"no data are named: give a folder, an archive, or one of {', '.join(KNOWN)}"
        )
    if spec in KNOWN:
        _only_folders(image_size, spec)
    if spec == "digits":
        return open_cached("digits", "digits", "scikit-learn", read_digits, cache)
    try:
        found = cifar10.find(cache, progress) if spec == "cifar10" else Path(spec).expanduser()
        there = found.exists()
        official = there and cifar10.is_official(found)
    except RuntimeError:  # of "~somebody"
        raise UserError(f"{spec!r} names the home of somebody who is not known here") from None
    except OSError as error:
        raise UserError(f"cannot read {spec}: {error.strerror}") from None
    if not there:
        raise UserError(
            f"no data at {spec!r}: give a folder, an archive, or one of {', '.join(KNOWN)}"
        )
    if official:
        _only_folders(image_size, spec)
        key = f"cifar10 {cifar10.variant(found)} {_identity(found)}"
        return open_cached(
            key, "CIFAR-10", str(found), lambda: cifar10.read_cifar10(found, progress), cache
        )
    return _open_class_folders(found, cache, strict, image_size, progress)


def _only_folders(image_size: int | None, spec: str) -> None:
    if image_size is not None:
        raise UserError(f"image_size acts on images in class folders, and not on {spec!r}: drop it")


def _open_class_folders(
    path: Path, cache: Path | None, strict: bool, image_size: int | None, progress: Progress | None
) -> Splits:
    from unskew.data.names import readable
    from unskew.data.sources.class_folders import read_class_folders
    from unskew.data.sources.common_size import MAX_SIZE
    from unskew.data.sources.members import ARCHIVES, archive_stem, is_archive

    if not path.is_dir() and not is_archive(path):
        raise UserError(
            f"{path} is neither a folder nor an archive: archives end in {', '.join(ARCHIVES)}"
        )
    fits = image_size is None or (isinstance(image_size, Integral) and 1 <= image_size <= MAX_SIZE)
    if not fits:
        raise UserError(f"image_size = {image_size}, but it must be 1 to {MAX_SIZE} whole pixels")
    name = readable(path.resolve().name if path.is_dir() else archive_stem(path))

    def build() -> tuple[ImageSet, ImageSet, list[str]]:
        return read_class_folders(
            path, image_size=image_size, strict=strict, progress=progress,
            scratch=images_folder(cache),
        )  # fmt: skip

    # A strict opening must not be answered by what a lenient one has cached.
    key = f"folders {path.resolve()} {_identity(path)} {image_size} {strict}"
    return open_cached(key, name, readable(str(path.resolve())), build, cache)


def _identity(path: Path) -> str:
    """Changes when a file's, or any file's below a folder, size or time of change does, or when a
    folder without files appears.

    The time of a file's content is kept by what copies it or gives it another name; that of its
    entry in the file system is not.
    """
    from unskew.data.sources.folder import empty_folders, folder_files

    path = path.resolve()  # however it is spelt, it is decoded once
    files = [path] if path.is_file() else [path / relative for relative in folder_files(path)]
    digest = hashlib.blake2b(digest_size=16)
    if path.is_dir():
        digest.update(repr(empty_folders(path)).encode(errors="surrogateescape"))
    for file in files:
        try:
            status = file.stat()
            told = f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n"
        except OSError:  # a link to nothing: skipped, and said so, when files are read
            told = f"{file}\0\n"
        digest.update(told.encode(errors="surrogateescape"))
    return digest.hexdigest()
