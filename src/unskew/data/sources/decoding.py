"""Files to pixels, many at a time and on all cores."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from unskew.data.cores import cores
from unskew.data.decode import NotAnImage, decode_into
from unskew.data.sources.member import Member

BLOCK = 512
"""Files that are decoded together, so that memory holds a block of files and not the archive."""
BLOCK_BYTES = 256 << 20
"""Or fewer, if these are so large."""
TASK = 64
"""Files of a block that one thread decodes in one go."""


@dataclass
class Decoded:
    """Some files and their pixels, uint8 (n, size, size, 3).

    What could not be decoded has its reason in `problems`, "" elsewhere, and any pixels.
    """

    members: list[Member]
    pixels: NDArray[np.uint8]
    problems: list[str]


def decoded(found: Iterator[Member], size: int) -> Iterator[Decoded]:
    """The files in their order, some together, decoded on all cores."""
    count = cores()
    with ThreadPoolExecutor(count) as pool:
        # One core is used up by one thread, and going to and fro between two takes time of it.
        work = map if count == 1 else pool.map
        while block := _block(found, BLOCK):
            # A task each file would cost about as much as decoding it.
            parts = [block[begin : begin + TASK] for begin in range(0, len(block), TASK)]
            yield from work(lambda part: _decode(part, size), parts)


def _block(found: Iterator[Member], count: int) -> list[Member]:
    """The next files, `count` of them or as many as BLOCK_BYTES hold."""
    block, size = list[Member](), 0
    for member in islice(found, count):
        block.append(member)
        size += len(member.data or b"")
        if size >= BLOCK_BYTES:
            break
    return block


def _decode(files: list[Member], size: int) -> Decoded:
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    problems = [_problem(file, place) for file, place in zip(files, pixels, strict=True)]
    return Decoded(files, pixels, problems)


def _problem(file: Member, place: NDArray[np.uint8]) -> str:
    """Decode one file to its place; what is wrong with it, if anything."""
    if file.data is None:
        return file.why
    try:
        decode_into(place, file.data)
    except NotAnImage as error:
        return str(error)
    return ""
