"""The files below a folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NoReturn

from unskew.data.names import readable
from unskew.data.sources.member import MAX_FILE, Member
from unskew.errors import UserError

LEADS_NOWHERE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
"""What a link to nothing is answered with. Whatever else the system refuses may be allowed
tomorrow, and what is decoded without it would be taken from the cache for ever."""


def of_folder(root: Path, told: Callable[[int, int], None]) -> Iterator[Member]:
    """All plain files below a folder, hidden ones left out.

    Raises
    ------
    UserError: a folder is a link or cannot be listed, or a file cannot be read.
    """
    paths = folder_files(root)
    for done, relative in enumerate(paths, 1):
        yield _of_file(root / relative, tuple(map(readable, relative.parts)))
        told(done, len(paths))


def _of_file(path: Path, parts: tuple[str, ...]) -> Member:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, without end
            return Member(parts, None, "not a plain file")
        large = status.st_size > MAX_FILE
        return Member(parts, None if large else path.read_bytes(), stored=os.fspath(path))
    except OSError as error:
        if error.errno in LEADS_NOWHERE:
            return Member(parts, None, "a link to nothing")
        raise UserError(
            f"cannot read {readable(str(path))}: {error.strerror}; let it be read or remove it"
        ) from None


def folder_files(root: Path) -> list[PurePosixPath]:
    """Files below a folder, sorted; hidden ones left out.

    Raises
    ------
    UserError: a folder is a link or cannot be listed: without it a class would be missing unsaid.
    """
    found: list[PurePosixPath] = []
    for folder, _, files in _walk(root):
        base = PurePosixPath(folder.relative_to(root).as_posix())
        found += [base / name for name in sorted(files) if not name.startswith(".")]
    return found


def empty_folders(root: Path) -> list[str]:
    """Names of folders below `root` that hold neither files nor folders, hidden ones left out."""
    return [
        readable(folder.name)
        for folder, folders, files in _walk(root)
        if folder != root and not folders and all(name.startswith(".") for name in files)
    ]


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`, in the order of the names, without hidden folders."""
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder) / name for name in folders):
            if path.is_symlink():  # which may lead back here, or to whatever is not meant
                raise UserError(
                    f"{readable(str(path))} is a link to a folder, which is not followed: put the "
                    "folder itself or a copy there, or remove the link"
                )
        yield Path(folder), folders, files


def _unreadable(error: OSError) -> NoReturn:
    raise UserError(f"cannot read the folder {error.filename}: {error.strerror}")
