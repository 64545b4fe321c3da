"""Class-folder archives made on the spot."""

import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unskew.data.randomness import stream


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNSKEW_CACHE", str(tmp_path / "cache"))


def image_bytes(seed: int, form: str = "PNG", size: tuple[int, int] = (16, 16)) -> bytes:
    pixels = stream(seed, "file").integers(0, 256, (*size, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def class_files(halves=("train", "test"), per_class=4, classes=("cat", "dog")) -> dict[str, bytes]:
    """Content by path: halves/class/n.png, every image different."""
    files, seed = {}, 0
    for half in halves:
        for name in classes:
            for n in range(per_class):
                files[f"{half}/{name}/{n}.png".lstrip("/")] = image_bytes(seed)
                seed += 1
    return files


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def never_named(monkeypatch):
    """A disk that knows only files with names, such as a network's."""
    opened, asked = os.open, getattr(os, "O_TMPFILE", 0)

    def refusing(path, flags, *others, **named):
        if asked and flags & asked == asked:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return opened(path, flags, *others, **named)

    monkeypatch.setattr(os, "open", refusing)
