"""CIFAR-10 as its authors publish it (Krizhevsky 2009): found on disk, or downloaded once."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unskew.data.cache import cache_folder
from unskew.data.download import download
from unskew.data.imageset import ImageSet
from unskew.data.safe_pickle import read_plain_pickle
from unskew.data.sources.member import MAX_FILE, TOO_LARGE
from unskew.data.sources.tars import of_tar
from unskew.errors import UserError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
PYTHON_FOLDER, BINARY_FOLDER = "cifar-10-batches-py", "cifar-10-batches-bin"
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz")
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
BATCHES = [f"data_batch_{k}" for k in range(1, 6)]
PIXELS = 3 * 32 * 32


def find(
    cache: Path | None = None, progress: Callable[[str, int, int], None] | None = None
) -> Path:
    """Where CIFAR-10 lies: where people tend to have it, else in the cache, downloaded if need be.

    The address can be changed with UNSKEW_CIFAR10_URL (a mirror of the same file).

    Raises
    ------
    UserError: it is nowhere and cannot be downloaded.
    """
    downloads = cache_folder(cache) / "downloads"
    for folder in (Path(), Path("data"), Path.home() / "data", Path.home() / ".keras/datasets"):
        for name in (PYTHON_FOLDER, BINARY_FOLDER, *ARCHIVES):
            if _is_whole(folder / name):
                return folder / name
    for name in ARCHIVES:
        if (downloads / name).exists():
            return downloads / name
    target = downloads / ARCHIVES[0]
    advice = (
        f"fetch {ARCHIVES[0]} by other means and put it into {downloads} or the current folder, "
        "or use --data digits or --data FOLDER, which need no download"
    )
    url = os.environ.get("UNSKEW_CIFAR10_URL", URL)
    return download(url, target, os.environ.get("UNSKEW_CIFAR10_MD5", MD5), advice, progress)


def _is_whole(path: Path) -> bool:
    """Whether an archive is there, or a folder with all its batches: what is half unpacked or
    bears only the name must not stand in the way of what is whole elsewhere, nor a folder that
    may not be searched.
    """
    suffix = ".bin" if path.name == BINARY_FOLDER else ""
    names = [name + suffix for name in [*BATCHES, "test_batch"]]
    files = [path] if path.name in ARCHIVES else [path / name for name in names]
    try:
        return all(file.is_file() for file in files)
    except OSError:
        return False


def is_official(path: Path) -> bool:
    """Whether a path is one of the official archives or their unpacked folders."""
    return path.name in ARCHIVES or (
        path.is_dir() and ((path / "data_batch_1").exists() or (path / "data_batch_1.bin").exists())
    )


def variant(path: Path) -> str:
    """ "binary" or "python", by the name of the archive or what the folder holds."""
    if path.is_dir():
        return "binary" if (path / "data_batch_1.bin").exists() else "python"
    return "binary" if "binary" in path.name else "python"


def read_cifar10(
    path: Path, progress: Callable[[str, int, int], None] | None = None
) -> tuple[ImageSet, ImageSet, list[str]]:
    """(train, test, notes) from an official archive or folder; 50,000 and 10,000 images.

    Raises
    ------
    UserError: a batch is missing, truncated or damaged.
    """
    parse = _parse_binary if variant(path) == "binary" else _parse_pickled
    suffix = ".bin" if variant(path) == "binary" else ""
    files = [name + suffix for name in [*BATCHES, "test_batch"]]
    parts: dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]] = {}
    for name, data in _contents(path, files):
        parts[name] = parse(data, f"{path}/{name}")
        if progress:
            progress("reading CIFAR-10", len(parts), len(files))
    for name in files:
        if name not in parts:
            raise UserError(f"{path} has no {name}: unpack or fetch it again")
    train = [parts[name] for name in files[:-1]]
    images = ImageSet(
        np.concatenate([pixels for pixels, _ in train]),
        np.concatenate([labels for _, labels in train]),
        CLASSES,
    )
    return images, ImageSet(*parts[files[-1]], CLASSES), []


def _contents(path: Path, files: list[str]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for name in files:
            if (path / name).exists():
                try:
                    if (path / name).stat().st_size > MAX_FILE:
                        raise UserError(_no_batch(path, name, TOO_LARGE))
                    yield name, (path / name).read_bytes()
                except OSError as error:
                    raise UserError(f"cannot read {path / name}: {error.strerror}") from None
        return
    try:
        for member in of_tar(path, lambda done, total: None):
            name = member.parts[-1]
            if name in files:
                if member.data is None:
                    raise UserError(_no_batch(path, name, member.why))
                yield name, member.data
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UserError(
            f"the archive {path} is truncated or damaged ({error}): delete it and fetch it again"
        ) from None


def _no_batch(path: Path, name: str, why: str) -> str:
    return f"{path}/{name} is {why}, so it is no batch of CIFAR-10: fetch it again"


def _parse_pickled(data: bytes, where: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    batch = read_plain_pickle(data, where)
    pixels = batch.get(b"data")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise UserError(f"{where} holds no CIFAR-10 pixels: fetch the archive again")
    labels = batch.get(b"labels")
    if isinstance(labels, list) and all(type(k) is int and 0 <= k < 256 for k in labels):
        labels = np.array(labels, dtype=np.int64)
    if not isinstance(labels, np.ndarray):
        raise UserError(f"{where} holds no CIFAR-10 labels: fetch the archive again")
    return _check(pixels, labels.astype(np.int64), where)


def _parse_binary(data: bytes, where: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if len(data) % (PIXELS + 1):
        raise UserError(f"{where} is truncated ({len(data)} bytes): fetch the archive again")
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, PIXELS + 1)
    return _check(rows[:, 1:], rows[:, 0].astype(np.int64), where)


def _check(
    pixels: NDArray[np.uint8], labels: NDArray[np.int64], where: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    fits = pixels.shape[1:] == (PIXELS,) and labels.shape == (len(pixels),) and len(labels)
    if not fits or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise UserError(f"{where} is no batch of CIFAR-10: fetch the archive again")
    return np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels
