"""One file of a folder or an archive, and what it is called here."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from unskew.data.names import readable

MAX_FILE = 256 * 2**20
"""Bytes of one member beyond which it is not read: no photo is that large."""

TOO_LARGE = f"larger than {MAX_FILE >> 20} MiB"


class Member(NamedTuple):
    """One file.

    Attributes
    ----------
    parts: its path within the folder or archive, checked to be plain and relative, readable.
    data: its content, or None where it is not read.
    why: where it is not read, the reason.
    stored: its path as an archive has it, which may tell files apart that read alike.
    """

    parts: tuple[str, ...]
    data: bytes | None
    why: str = TOO_LARGE
    stored: str = ""


def as_stored(name: str) -> str:
    """A path of an archive's, the same for all ways to write what unpacks to one file."""
    return str(PurePosixPath(name.replace("\\", "/")))


OUTSIDE = "a path that leads out of the archive"


def outside(name: str) -> Member | None:
    """A member that is not read, for a path that leads out of where it would be unpacked, visible
    or not; None for all others.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.is_absolute() and ".." not in path.parts:
        return None
    parts = tuple(readable(part) for part in path.parts if part != path.root)
    return Member(parts or ("/",), None, OUTSIDE)


def plain(name: str) -> tuple[str, ...] | None:
    """Readable parts of a member's path; None if it is hidden or points outside."""
    folder, _, file = name.replace("\\", "/").rpartition("/")
    above = _plain_folder(folder) if folder or name[:1] not in ("/", "\\") else None
    if above is None or not file or file.startswith("."):
        return None
    return *above, readable(file)


@lru_cache(maxsize=1024)
def _plain_folder(name: str) -> tuple[str, ...] | None:
    """Parts of a folder's path, likewise; most files lie in the same few."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return None
    return tuple(map(readable, parts))
