"""The files of a tar, packed or plain, read in one go from its begin to its end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from unskew.data.sources.member import MAX_FILE, Member, as_stored, outside, plain
from unskew.errors import MissingExtraError

CHUNK = 1 << 20
"""Bytes that are read at once."""
MAX_HEADER = 1 << 20
"""Bytes of a long name, or of what else is said of a member, beyond which nothing is honest."""
LONG_HEADERS = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip
"""Kinds of headers whose content tarfile reads to memory, however long they say it is."""


def of_tar(path: Path, told: Callable[[int, int], None]) -> Iterator[Member]:
    """All files of a tar, hidden ones left out; raises what `tarfile` and the packers raise of
    damage.

    A link's content may have come by or be yet to come, so that it is a member without any.
    """
    total = path.stat().st_size
    with path.open("rb") as raw:
        stream = unpacked(path, raw)
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Entry, bufsize=CHUNK) as archive:
            for entry in archive:
                parts = plain(entry.name.removeprefix("./"))
                if entry.isdir():
                    continue
                if parts is None:
                    if (refused := outside(entry.name)) is not None:
                        yield refused
                    continue
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is None:
                    link = entry.islnk() or entry.issym()
                    yield Member(parts, None, "a link" if link else "not a plain file")
                    continue
                read = None if entry.size > MAX_FILE else content.read()
                yield Member(parts, read, stored=as_stored(entry.name))
                told(raw.tell(), total)
        while stream.read(CHUNK):  # the checksum of what is packed comes last
            pass


class _Entry(tarfile.TarInfo):
    """A header that is damaged or cut off ends the reading, where tarfile takes it for the end of
    the archive and says nothing; one that is said to be of any length is not read to memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Entry:
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0 or (found.type in LONG_HEADERS and found.size > MAX_HEADER):
            raise tarfile.ReadError(f"a header that says it is of {found.size} bytes")
        return found

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
