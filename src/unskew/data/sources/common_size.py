"""The size that images are kept at where nobody has asked for one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from unskew.data.decode import NotAnImage, decode, header_size
from unskew.data.sources.decoding import Decoded
from unskew.data.sources.member import Member

KEEP_SIZE = 64
"""Images that all have one square size up to this are taken as they are; others are resized."""
DEFAULT_SIZE = 32
MAX_SIZE = 2048
"""Pixels that images may be resized to: a block of them has to fit into memory as it is decoded."""


def sized(files: Iterator[Member]) -> tuple[Iterator[Member], int]:
    """The same files, and the size of the first image if it is square and small, else the default.

    What is no image or cannot be decoded has no say.
    """
    passed = list[Member]()
    for file in files:
        problem = _problem(file)
        if problem:
            # Its bytes are let go: there may be many such files before the first image.
            passed.append(Member(file.parts, None, problem))
            continue
        size = header_size(file.data) if file.data else None
        keep = size is not None and size[0] == size[1] <= KEEP_SIZE and size[0] % 8 == 0
        found = size[0] if size is not None and keep else DEFAULT_SIZE
        return chain(passed, [file], files), found
    return iter(passed), DEFAULT_SIZE


def all_of(size: int, block: Decoded) -> bool:
    """Whether all images that could be decoded are of this size."""
    return all(
        problem or file.data is None or header_size(file.data) == (size, size)
        for file, problem in zip(block.members, block.problems, strict=True)
    )


def _problem(file: Member) -> str:
    """Why a file will be skipped, and so has no say in the set's size; empty where it will not."""
    if file.data is None:
        return file.why
    try:
        decode(file.data, DEFAULT_SIZE)
    except NotAnImage as error:
        return str(error)
    return ""
