"""The files of a zip."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from unskew.data.sources.member import MAX_FILE, Member, plain
from unskew.errors import UserError

LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and of the extra field that come before the data."""
SLACK = 64
"""Bytes read beyond a member's name and data, for the extra field of its local header."""


def of_zip(path: Path, told: Callable[[int, int], None]) -> Iterator[Member]:
    """All files of a zip, hidden ones left out; raises what `zipfile` raises of damage."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for done, entry in enumerate(entries, 1):
            parts = plain(entry.filename)
            if parts is None:
                continue
            if entry.flag_bits & 1:
                raise UserError(f"the archive {path} is encrypted: unpack it and name the folder")
            if stat.S_ISLNK(entry.external_attr >> 16):  # its content is the path it leads to
                yield Member(parts, None, "a link")
                continue
            large = entry.file_size > MAX_FILE
            yield Member(parts, None if large else _content(archive, entry, raw.fileno(), size))
            told(done, len(entries))


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: int, size: int) -> bytes:
    """A member's bytes. `archive.read` takes longer than decoding a small photo does, so members
    that are stored or deflated, as all but a few are, are read without it, as APPNOTE.TXT 4.3.7
    lays them out, and checked as it would.

    Parameters
    ----------
    file, size: descriptor and bytes of the archive's file.

    Raises
    ------
    zipfile.BadZipFile, zlib.error: the member is damaged.
    """
    if entry.compress_size > size:
        raise zipfile.BadZipFile(f"{entry.filename} is said to be larger than the archive")
    known = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not known or not hasattr(os, "pread"):
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
