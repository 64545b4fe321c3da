"""The files of a folder or an archive, one after another, never extracted to paths they name."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from pathlib import Path

from unskew.data.sources.folder import of_folder
from unskew.data.sources.member import Member
from unskew.data.sources.tars import of_tar
from unskew.data.sources.zips import of_zip
from unskew.errors import UserError

DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, struct.error, EOFError,
    OSError, ValueError, TypeError, OverflowError, RecursionError,
)  # fmt: skip
"""What the libraries raise of archives that are cut, garbled or made to do harm."""

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tar.bz2")


def is_archive(path: Path) -> bool:
    """Whether the name ends as one of the archives that are read."""
    return path.name.lower().endswith(ARCHIVES)


def archive_stem(path: Path) -> str:
    """The name without what marks it as an archive."""
    ending = max((e for e in ARCHIVES if path.name.lower().endswith(e)), key=len)
    return path.name[: -len(ending)]


def members(
    path: Path, told: Callable[[int, int], None] = lambda done, total: None
) -> Generator[Member, None, None]:
    """All plain files of a folder or archive, hidden ones left out.

    Parameters
    ----------
    told: called with (bytes read, bytes in all) as reading goes on.

    Raises
    ------
    UserError: an archive is truncated or damaged, or a folder is not to be read whole.
    """
    if path.is_dir():
        yield from of_folder(path, told)
        return
    try:
        yield from of_zip(path, told) if _is_zip(path) else of_tar(path, told)
    except NotImplementedError:
        raise UserError(
            f"the archive {path} is packed by a method that Python cannot unpack: pack it again, "
            "or unpack it and name the folder"
        ) from None
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:  # not what is in the file
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        raise UserError(
            f"the archive {path} is truncated or damaged ({error}): fetch or pack it again"
        ) from None


def _is_zip(path: Path) -> bool:
    return path.name.lower().endswith(".zip")
