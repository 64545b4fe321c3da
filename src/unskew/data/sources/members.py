"""The files of a folder or an archive, one after another, never extracted to paths they name."""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple, NoReturn

from unskew.errors import MissingExtraError, UserError

LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and of the extra field that come before the data."""
SLACK = 64
"""Bytes read beyond a member's name and data, for the extra field of its local header."""
MAX_FILE = 256 * 2**20
"""Bytes of one member beyond which it is not read: no photo is that large."""


class Member(NamedTuple):
    """One file.

    Attributes
    ----------
    parts: its path within the folder or archive, checked to be plain and relative.
    data: its content, or None where it is not read.
    why: where it is not read, the reason.
    """

    parts: tuple[str, ...]
    data: bytes | None
    why: str = f"larger than {MAX_FILE >> 20} MiB"


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
) -> Iterator[Member]:
    """All plain files of a folder or archive, hidden ones left out.

    Parameters
    ----------
    told: called with (bytes read, bytes in all) as reading goes on.

    Raises
    ------
    UserError: an archive is truncated or damaged.
    """
    if path.is_dir():
        yield from _of_folder(path, told)
        return
    try:
        yield from _of_zip(path, told) if _is_zip(path) else _of_tar(path, told)
    except NotImplementedError:
        raise UserError(
            f"the archive {path} is packed by a method that Python cannot unpack: pack it again, "
            "or unpack it and name the folder"
        ) from None
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise UserError(
            f"the archive {path} is truncated or damaged ({error}): fetch or pack it again"
        ) from None


def _is_zip(path: Path) -> bool:
    return path.name.lower().endswith(".zip")


def _plain(name: str) -> tuple[str, ...] | None:
    """Parts of a member's path; None if it is hidden or points outside."""
    folder, _, file = name.replace("\\", "/").rpartition("/")
    above = _plain_folder(folder) if folder or name[:1] not in ("/", "\\") else None
    return None if above is None or not file or file.startswith(".") else (*above, file)


@lru_cache(maxsize=1024)
def _plain_folder(name: str) -> tuple[str, ...] | None:
    """Parts of a folder's path, likewise; most files lie in the same few."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return None
    return parts


def _of_folder(root: Path, told: Callable[[int, int], None]) -> Iterator[Member]:
    paths = folder_files(root)
    for done, relative in enumerate(paths, 1):
        yield _of_file(root / relative, tuple(map(_readable, relative.parts)))
        told(done, len(paths))


def _readable(name: str) -> str:
    """A name that can be written: bytes that are no UTF-8, which Linux allows, are replaced."""
    return os.fsencode(name).decode(errors="replace")


def _of_file(path: Path, parts: tuple[str, ...]) -> Member:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, without end
            return Member(parts, None, "not a plain file")
        large = status.st_size > MAX_FILE
        return Member(parts, None) if large else Member(parts, path.read_bytes())
    except OSError as error:  # a link to nothing, a file of somebody else's
        return Member(parts, None, str(error.strerror).lower())


def folder_files(root: Path) -> list[PurePosixPath]:
    """Files below a folder, sorted; links to folders are not followed, hidden ones left out.

    Raises
    ------
    UserError: a folder cannot be listed: without it a class would be missing unsaid.
    """
    found: list[PurePosixPath] = []
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        base = PurePosixPath(Path(folder).relative_to(root).as_posix())
        found += [base / name for name in sorted(files) if not name.startswith(".")]
    return found


def _unreadable(error: OSError) -> NoReturn:
    raise UserError(f"cannot read the folder {error.filename}: {error.strerror}")


def _of_zip(path: Path, told: Callable[[int, int], None]) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for done, entry in enumerate(entries, 1):
            parts = _plain(entry.filename)
            if parts is None:
                continue
            if entry.flag_bits & 1:
                raise UserError(f"the archive {path} is encrypted: unpack it and name the folder")
            large = entry.file_size > MAX_FILE
            yield Member(parts, None if large else _content(archive, entry, raw.fileno()))
            told(done, len(entries))


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: int) -> bytes:
    """A member's bytes. `archive.read` takes longer than decoding a small photo does, so members
    that are stored or deflated, as all but a few are, are read without it, as APPNOTE.TXT 4.3.7
    lays them out, and checked as it would.

    Parameters
    ----------
    file: descriptor of the archive's file.

    Raises
    ------
    zipfile.BadZipFile, zlib.error: the member is damaged.
    """
    if entry.compress_size > os.fstat(file).st_size:
        raise zipfile.BadZipFile(f"{entry.filename} is said to be larger than the archive")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return archive.read(entry)
    # Header, name and data in one go, as a rule.
    likely = LOCAL_HEADER.size + len(entry.orig_filename) + SLACK + entry.compress_size
    raw = os.pread(file, likely, entry.header_offset)
    if len(raw) < LOCAL_HEADER.size:
        raise zipfile.BadZipFile(f"{entry.filename} lies beyond the end of the file")
    signature, name, extra = LOCAL_HEADER.unpack_from(raw)
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{entry.filename} is not where the directory says")
    begin = LOCAL_HEADER.size + name + extra
    data = raw[begin : begin + entry.compress_size]
    if len(data) < entry.compress_size:
        data = os.pread(file, entry.compress_size, entry.header_offset + begin)
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        # One byte more than there should be, so that a member that lies about its size is found.
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.file_size + 1)
    if len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
        raise zipfile.BadZipFile(f"{entry.filename} does not match its checksum")
    return data


def _of_tar(path: Path, told: Callable[[int, int], None]) -> Iterator[Member]:
    total = path.stat().st_size
    with path.open("rb") as raw, _tar_stream(path, raw) as archive:
        for entry in archive:
            parts = _plain(entry.name.removeprefix("./"))
            if parts is None or not entry.isfile():
                continue
            content = archive.extractfile(entry)
            if content is None:
                continue
            yield Member(parts, None if entry.size > MAX_FILE else content.read())
            told(raw.tell(), total)


def _tar_stream(path: Path, raw: io.BufferedReader) -> tarfile.TarFile:
    if path.name.lower().endswith(".zst"):
        try:
            import zstandard
        except ImportError:
            raise MissingExtraError("zstandard", "zstd", f"read {path.name}") from None
        return tarfile.open(fileobj=_ZstdErrors(zstandard, raw), mode="r|")
    return tarfile.open(fileobj=raw, mode="r|*")


class _ZstdErrors(io.RawIOBase):
    """A decompressed stream whose errors and early ends are those of a damaged archive."""

    def __init__(self, zstandard, raw: io.BufferedReader) -> None:  # type: ignore[no-untyped-def]
        self._reader = zstandard.ZstdDecompressor().stream_reader(raw)
        self._error = zstandard.ZstdError

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._reader.read(size)
        except self._error as error:
            raise tarfile.ReadError(str(error)) from None
        return data
