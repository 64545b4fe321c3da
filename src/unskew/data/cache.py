"""Decoded images on disk: built once, memory-mapped in milliseconds, shared by processes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from unskew.data.imageset import ImageSet, Splits
from unskew.data.scratch import keep
from unskew.errors import UserError

VERSION = 4
"""Raised when the decoding changes, so that what older versions cached is built anew."""

PART = ".part"
"""Ends the name of a folder that is not whole yet."""

DAMAGE = (OSError, EOFError, ValueError, TypeError, KeyError, RecursionError)
"""What reading a file raises that is not what was written."""


def cache_folder(cache: Path | None = None) -> Path:
    """Where decoded images and downloads are kept: the argument, else UNSKEW_CACHE, else the
    platform's convention for caches.
    """
    if cache is not None:
        return cache
    chosen = os.environ.get("UNSKEW_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("unskew"))


def images_folder(cache: Path | None = None) -> Path:
    """Where decoded images lie; there while one is being built."""
    return cache_folder(cache) / "images"


def open_cached(
    key: str,
    name: str,
    origin: str,
    build: Callable[[], tuple[ImageSet, ImageSet, list[str]]],
    cache: Path | None = None,
) -> Splits:
    """The splits cached under `key`, built first if they are not there.

    Parameters
    ----------
    key: changes whenever the source does.
    name: of the data set.
    origin: the source in words or as a path, for listings.
    build: gives (train, test, notes).

    Raises
    ------
    UserError: the disk is full or the cache folder cannot be written; what was half written
        is removed.
    """
    root = images_folder(cache)
    told = f"{VERSION}\0{key}".encode(errors="surrogateescape")
    digest = hashlib.blake2b(told, digest_size=10).hexdigest()
    folder = root / digest
    try:
        if not (folder / "meta.json").exists():
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f"{digest}.lock"):
                if not (folder / "meta.json").exists():
                    for left in root.glob(f"{digest}*{PART}"):  # by one that was killed
                        shutil.rmtree(left, ignore_errors=True)
                    _write(folder, name, origin, *build())
    except OSError as error:
        full = error.errno == errno.ENOSPC
        reason = "the disk is full" if full else error.strerror or error
        raise UserError(
            f"cannot cache decoded images in {root}: {reason}; make room there or set "
            "UNSKEW_CACHE to another folder"
        ) from None
    return _open(folder, name)


def _write(
    folder: Path, name: str, origin: str, train: ImageSet, test: ImageSet, notes: list[str]
) -> None:
    """Fill a scratch folder and rename it, so that a cache is whole or not there."""
    # Not mkdtemp, whose folders nobody else may read: a cache may be shared.
    scratch = folder.with_name(f"{folder.name}.{os.getpid()}{PART}")
    scratch.mkdir()
    try:
        for half, images in (("train", train), ("test", test)):
            _save(scratch / f"{half}-images.npy", images.images)
            _save(scratch / f"{half}-labels.npy", images.labels)
        meta = {
            "name": name,
            "origin": origin,
            "class_names": train.class_names,
            "fingerprint": fingerprint(train, test),
            "notes": notes,
        }
        (scratch / "meta.json").write_text(json.dumps(meta, indent=2), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _save(path: Path, array: NDArray[np.generic]) -> None:
    if keep(array, path):
        return
    try:
        np.save(path, array)
    except OSError as error:
        if error.errno is None:  # NumPy says how much it could write, and not why no more
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        raise


def _open(folder: Path, name: str) -> Splits:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        names = tuple(meta["class_names"])
        train, test = (
            ImageSet(
                np.load(folder / f"{half}-images.npy", mmap_mode="r", allow_pickle=False),
                np.load(folder / f"{half}-labels.npy", allow_pickle=False),
                names,
            )
            for half in ("train", "test")
        )
        return Splits(name, train, test, meta["fingerprint"], tuple(meta["notes"]))
    except DAMAGE:
        # By what `list_cached` calls it, which may be all that is known.
        called = next((c.name for c in list_cached(folder.parent.parent) if c.path == folder), name)
        raise UserError(
            f"the cached images in {folder} are damaged: run `unskew data clear "
            f"{shlex.quote(called)}`, and they are decoded anew"
        ) from None


def fingerprint(train: ImageSet, test: ImageSet) -> str:
    """Hex digest of pixels, labels and class names of both halves, independent of their order
    on disk only as far as their source's order is.
    """
    digest = hashlib.blake2b(json.dumps(train.class_names).encode(), digest_size=16)
    for images in (train, test):
        digest.update(str(images.images.shape).encode())
        digest.update(np.ascontiguousarray(images.images).data)
        digest.update(np.ascontiguousarray(images.labels).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Cached:
    """One thing in the cache.

    Attributes
    ----------
    name: of the data set or downloaded file.
    origin: what it was made from.
    path: where it lies.
    size: bytes on disk.
    """

    name: str
    origin: str
    path: Path
    size: int


def list_cached(cache: Path | None = None) -> list[Cached]:
    """Everything in the cache: decoded images, then downloads."""
    root, found = cache_folder(cache), []
    for path in sorted((root / "images").glob("*/meta.json")):
        if path.parent.suffix == PART:  # not whole yet, or no more
            continue
        try:
            meta = json.loads(path.read_text(encoding="utf-8"))
            found.append(
                Cached(str(meta["name"]), str(meta["origin"]), path.parent, _size(path.parent))
            )
        except DAMAGE:
            found.append(Cached("damaged", "", path.parent, _size(path.parent)))
    for path in sorted((root / "downloads").glob("*")):
        if path.suffix != ".lock":
            found.append(Cached(path.name, "download", path, path.lstat().st_size))
    return found


def clear_cached(name: str | None = None, cache: Path | None = None) -> list[Cached]:
    """Remove what is cached, or only what bears this name; returns what was removed."""
    removed = [item for item in list_cached(cache) if name is None or item.name == name]
    for item in removed:
        # Under another name at once: who is stopped here leaves no images that are half there.
        scrap = item.path.with_name(f"{item.path.name}.{os.getpid()}{PART}")
        with suppress(FileNotFoundError):  # another process clears as well
            if item.path.is_dir() and not item.path.is_symlink():
                item.path.rename(scrap)
                shutil.rmtree(scrap, ignore_errors=True)
            else:
                item.path.unlink()
    if name is None:
        _clear_scraps(images_folder(cache))
    return removed


def _clear_scraps(root: Path) -> None:
    """What builds that were killed have left; one that goes on holds its lock."""
    for scrap in root.glob(f"*{PART}"):
        with suppress(Timeout), FileLock(root / f"{scrap.name.partition('.')[0]}.lock", timeout=0):
            shutil.rmtree(scrap, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
