"""The files of a zip."""

from __future__ import annotations

import bz2
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from unskew.data.sources.member import MAX_FILE, Member, as_stored, outside, plain
from unskew.errors import UserError

LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and of the extra field that come before the data."""
LZMA_HEADER = struct.Struct("<2xHBI")
SLACK = 64
"""Bytes read beyond a member's name and data, for the extra field of its local header."""


def of_zip(path: Path, told: Callable[[int, int], None]) -> Iterator[Member]:
    """All files of a zip, hidden ones left out; raises what `zipfile` raises of damage."""
    with zipfile.ZipFile(path) as archive, path.open("rb", buffering=0) as raw:
        size = os.fstat(raw.fileno()).st_size
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for done, entry in enumerate(entries, 1):
            parts = plain(entry.filename)
            if parts is None:
                if (refused := outside(entry.filename)) is not None:
                    yield refused
                continue
            if entry.flag_bits & 1:
                raise UserError(f"the archive {path} is encrypted: unpack it and name the folder")
            if stat.S_ISLNK(entry.external_attr >> 16):  # its content is the path it leads to
                yield Member(parts, None, "a link")
                continue
            large = entry.file_size > MAX_FILE
            content = None if large else _content(entry, raw, size)
            yield Member(parts, content, stored=as_stored(entry.filename))
            told(done, len(entries))


def _content(entry: zipfile.ZipInfo, file: IO[bytes], size: int) -> bytes:
    """A member's bytes, read as APPNOTE.TXT 4.3.7 lays them out and checked as zipfile would.

    zipfile's own reading takes longer than decoding a small photo does, and of what is packed by
    bzip2 or LZMA it unpacks as much as there is, whatever the directory says.

    Parameters
    ----------
    file: the archive's, unbuffered.
    size: its bytes.

    Raises
    ------
    zipfile.BadZipFile, zlib.error, OSError, EOFError, lzma.LZMAError: the member is damaged.
    NotImplementedError: it is packed in another way.
    """
    if entry.compress_size > size:
        raise zipfile.BadZipFile(f"{entry.filename} is said to be larger than the archive")
    # Header, name and data in one go, as a rule.
    likely = LOCAL_HEADER.size + len(entry.orig_filename) + SLACK + entry.compress_size
    raw = _at(file, entry.header_offset, likely)
    if len(raw) < LOCAL_HEADER.size:
        raise zipfile.BadZipFile(f"{entry.filename} lies beyond the end of the file")
    signature, name, extra = LOCAL_HEADER.unpack_from(raw)
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{entry.filename} is not where the directory says")
    begin = LOCAL_HEADER.size + name + extra
    data = raw[begin : begin + entry.compress_size]
    if len(data) < entry.compress_size:
        data = _at(file, entry.header_offset + begin, entry.compress_size)
    # One byte more than there should be, so that a member that lies about its size is found.
    data = _unpacked(data, entry.compress_type, entry.file_size + 1)
    if len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
        raise zipfile.BadZipFile(f"{entry.filename} does not match its checksum")
    return data


def _at(file: IO[bytes], offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _unpacked(data: bytes, method: int, most: int) -> bytes:
    """At most so many bytes of what was packed."""
    match method:
        case zipfile.ZIP_STORED:
            return data
        case zipfile.ZIP_DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)
        case zipfile.ZIP_BZIP2:
            return bz2.BZ2Decompressor().decompress(data, most)
        case zipfile.ZIP_LZMA:
            return _lzma_unpacked(data, most)
    raise NotImplementedError(f"method {method} of packing")


def _lzma_unpacked(data: bytes, most: int) -> bytes:
    """LZMA as APPNOTE.TXT 5.8.8 lays it out: version, length of the properties, the properties."""
    if len(data) < LZMA_HEADER.size:
        raise lzma.LZMAError("no properties")
    length, digits, dictionary = LZMA_HEADER.unpack_from(data)
    if length != 5 or digits >= 9 * 5 * 5:
        raise lzma.LZMAError("properties that are none")
    properties = {
        "id": lzma.FILTER_LZMA1,
        # No more than what it would unpack to; the rest would lie there unused.
        "dict_size": max(min(dictionary, most), 1 << 12),
        "lc": digits % 9,
        "lp": digits // 9 % 5,
        "pb": digits // 45,
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[properties]).decompress(
        data[LZMA_HEADER.size :], most
    )
