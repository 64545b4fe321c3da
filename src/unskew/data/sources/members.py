"""The files of a folder or an archive, one after another, never extracted to paths they name."""

from __future__ import annotations

import bz2
import gzip
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
from typing import IO, NamedTuple, NoReturn

from unskew.errors import MissingExtraError, UserError

LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and of the extra field that come before the data."""
SLACK = 64
"""Bytes read beyond a member's name and data, for the extra field of its local header."""
CHUNK = 1 << 20
"""Bytes of a tar that are read at once."""
MAX_FILE = 256 * 2**20
"""Bytes of one member beyond which it is not read: no photo is that large."""


DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, struct.error, EOFError,
    OSError, ValueError, TypeError, OverflowError, RecursionError,
)  # fmt: skip
"""What the libraries raise of archives that are cut, garbled or made to do harm."""


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
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:  # not what is in the file
            raise UserError(f"cannot read {path}: {error.strerror}") from None
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
        yield _of_file(root / relative, tuple(map(readable, relative.parts)))
        told(done, len(paths))


def readable(name: str) -> str:
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


def empty_folders(root: Path) -> list[PurePosixPath]:
    """Folders below `root` that hold neither files nor folders, hidden ones left out."""
    found = []
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(folder) != root and not folders and all(name.startswith(".") for name in files):
            found.append(PurePosixPath(Path(folder).relative_to(root).as_posix()))
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
    plain = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not plain or not hasattr(os, "pread"):
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
    with path.open("rb") as raw:
        stream = unpacked(path, raw)
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Entry, bufsize=CHUNK) as archive:
            for entry in archive:
                parts = _plain(readable(entry.name.removeprefix("./")))
                if parts is None or not entry.isfile():
                    continue
                content = archive.extractfile(entry)
                if content is None:
                    continue
                yield Member(parts, None if entry.size > MAX_FILE else content.read())
                told(raw.tell(), total)
        while stream.read(CHUNK):  # the checksum of what is packed comes last
            pass


class _Entry(tarfile.TarInfo):
    """A header that is damaged or cut off ends the reading, where tarfile takes it for the end of
    the archive and says nothing.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Entry:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # the mark of an end that is one
                raise
            raise tarfile.ReadError(str(error)) from None


def unpacked(path: Path, raw: io.BufferedReader) -> IO[bytes]:
    """What a file holds once it is unpacked, by its first bytes: gzip, bzip2, xz, zstd or plain.

    Raises
    ------
    MissingExtraError: it is packed by zstd, and that is not installed.
    """
    begin = raw.peek(4)[:4]
    if begin.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if begin.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if begin == b"\xfd7zX":
        return lzma.LZMAFile(raw)
    if begin == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ImportError:
            raise MissingExtraError("zstandard", "zstd", f"read {path.name}") from None
        return _ZstdErrors(zstandard, raw)  # type: ignore[return-value]
    return raw


class _ZstdErrors(io.RawIOBase):
    """A decompressed stream whose errors and early ends are those of a damaged archive."""

    def __init__(self, zstandard, raw: io.BufferedReader) -> None:  # type: ignore[no-untyped-def]
        self._reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        self._error = zstandard.ZstdError

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._reader.read(size)
        except self._error as error:
            raise tarfile.ReadError(str(error)) from None
        return data
