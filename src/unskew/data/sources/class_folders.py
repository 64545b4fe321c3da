"""Images in one folder a class, loose or in an archive, with or without train/ and test/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from os import cpu_count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unskew.data.decode import NotAnImage, decode, decode_into, image_format
from unskew.data.hashes import hashes
from unskew.data.imageset import ImageSet
from unskew.data.scratch import ScratchImages, select
from unskew.data.sources.members import Member, empty_folders, members
from unskew.data.split import stratified_split
from unskew.errors import UserError

TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
TEST_SHARE = 0.2
KEEP_SIZE = 64
"""Images that all have one square size up to this are taken as they are; others are resized."""
DEFAULT_SIZE = 32
FIRST = 32
"""Files that are looked at to find the images' common size."""
BLOCK = 512
"""Files that are decoded together, so that memory holds a block of files and not the archive."""
BLOCK_BYTES = 256 << 20
"""Or fewer, if these are so large."""
TASK = 64
"""Files of a block that one thread decodes in one go."""


@dataclass
class _Pile:
    """What was found for one half, in the order it was read."""

    pixels: ScratchImages
    classes: list[str] = field(default_factory=list)
    files: list[tuple[str, ...]] = field(default_factory=list)


def read_class_folders(
    path: Path,
    *,
    image_size: int | None = None,
    strict: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    scratch: Path | None = None,
) -> tuple[ImageSet, ImageSet, list[str]]:
    """Decode a folder or archive of class folders: (train, test, notes).

    Without train/ and test/ a stratified split of 20 % is made by seed 0 and noted.

    Parameters
    ----------
    image_size: resize to this height and width; None keeps a common square size up to 64 and
        else resizes to 32.
    strict: refuse the first damaged or non-image file instead of skipping and counting it.
    progress: called with (what, done, total).
    scratch: folder for what is decoded, which may be more than memory holds; None: the system's.

    Raises
    ------
    UserError: nothing or too little is in it, an archive is damaged, halves disagree.
    """
    told = (
        (lambda done, total: progress("decoding images", done, total))
        if progress
        else (lambda done, total: None)
    )
    loose: list[str] = []
    found = _in_folders(members(path, told), loose)
    first = _block(found, FIRST)
    size = image_size or _common_size(first)
    piles = {half: _Pile(ScratchImages(scratch)) for half in ("train", "test", "")}
    skipped: list[tuple[str, str]] = []
    lost = {folder.name for folder in empty_folders(path)} if path.is_dir() else set[str]()
    for block in _decoded(chain(first, found), size):
        rows: dict[str, list[int]] = {}
        for row, (member, problem) in enumerate(zip(block.members, block.problems, strict=True)):
            if problem:
                file = "/".join(member.parts)
                if strict:
                    raise UserError(f"{path}: {file} is {problem}: remove it or leave out --strict")
                skipped.append((file, problem))
                lost.add(_place(member.parts[:-1])[1])
                continue
            half, name = _place(member.parts[:-1])
            rows.setdefault(half, []).append(row)
            piles[half].classes.append(name)
            piles[half].files.append(member.parts)
        for half, good in rows.items():
            whole = len(good) == len(block.pixels)
            piles[half].pixels.add(block.pixels if whole else block.pixels[good])
    if strict and loose:
        raise UserError(f"{path}: {loose[0]} is in no class folder: move it or leave out --strict")
    lost = {name for name in lost if name.lower() not in (*TRAIN, *TEST)}
    folders = {file[:-1] for pile in piles.values() for file in pile.files}
    lost -= {part for folder in folders for part in folder}  # a list beside classes is no class
    if strict and lost:
        raise UserError(
            f"{path}: class {min(lost)!r} has no image: add some, remove the folder or leave out "
            "--strict"
        )
    notes = _notes(skipped, loose, lost)
    return _assemble(path, piles, notes, scratch)


def _in_folders(found: Iterator[Member], loose: list[str]) -> Iterator[Member]:
    """The files that lie in a folder; the names of images that do not go to `loose`."""
    for member in found:
        if len(member.parts) >= 2:
            yield member
        elif member.data and image_format(member.data):
            loose.append(member.parts[-1])


def _notes(skipped: list[tuple[str, str]], loose: list[str], lost: set[str]) -> list[str]:
    """What was left out, in sentences."""
    notes = []
    if skipped:
        file, why = skipped[0]
        notes.append(f"{len(skipped)} files were skipped; the first is {file}: {why}")
    if loose:
        notes.append(f"{len(loose)} images in no class folder were left out, {loose[0]} among them")
    if lost:
        names = ", ".join(map(repr, sorted(lost)))
        notes.append(f"folders without a readable image are no classes here: {names}")
    return notes


@dataclass
class _Decoded:
    """Some files and their pixels, uint8 (n, size, size, 3).

    What could not be decoded has its reason in `problems`, "" elsewhere, and any pixels.
    """

    members: list[Member]
    pixels: NDArray[np.uint8]
    problems: list[str]


def _decoded(found: Iterator[Member], size: int) -> Iterator[_Decoded]:
    """The files in their order, some together, decoded on all cores."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        while block := _block(found, BLOCK):
            # A task each file would cost about as much as decoding it.
            parts = [block[begin : begin + TASK] for begin in range(0, len(block), TASK)]
            yield from pool.map(lambda part: _decode(part, size), parts)


def _block(found: Iterator[Member], count: int) -> list[Member]:
    """The next files, `count` of them or as many as BLOCK_BYTES hold."""
    block, size = list[Member](), 0
    for member in islice(found, count):
        block.append(member)
        size += len(member.data or b"")
        if size >= BLOCK_BYTES:
            break
    return block


def _decode(files: list[Member], size: int) -> _Decoded:
    pixels = np.empty((len(files), size, size, 3), np.uint8)
    problems = [_problem(file, place) for file, place in zip(files, pixels, strict=True)]
    return _Decoded(files, pixels, problems)


def _problem(file: Member, place: NDArray[np.uint8]) -> str:
    """Decode one file to its place; what is wrong with it, if anything."""
    if file.data is None:
        return file.why
    try:
        decode_into(place, file.data)
    except NotAnImage as error:
        return str(error)
    return ""


@cache
def _place(folders: tuple[str, ...]) -> tuple[str, str]:
    """(half, class) of the folders above a file: the class is the one that it lies in."""
    above = [part.lower() for part in folders[:-1]]
    for half, spellings in (("train", TRAIN), ("test", TEST)):
        if any(part in spellings for part in above):
            return half, folders[-1]
    return "", folders[-1]


def _common_size(first: Iterable[Member]) -> int:
    """The square size that the first images share, if small; the default otherwise."""
    sizes: Counter[tuple[int, ...]] = Counter()
    for member in first:
        if member.data and image_format(member.data):
            try:
                sizes[decode(member.data).shape[:2]] += 1
            except NotAnImage:
                continue
    if len(sizes) == 1:
        height, width = next(iter(sizes))
        if height == width <= KEEP_SIZE and height % 8 == 0:
            return int(height)
    return DEFAULT_SIZE


def _assemble(
    path: Path, piles: dict[str, _Pile], notes: list[str], scratch: Path | None
) -> tuple[ImageSet, ImageSet, list[str]]:
    halves = {half: pile for half, pile in piles.items() if pile.classes}
    if not halves:
        raise UserError(
            f"{path} holds no images in class folders: put them into one folder a class"
        )
    if "" in halves and len(halves) > 1:
        raise UserError(
            f"{path} has class folders both beside and inside train/ and test/: keep one layout"
        )
    names = tuple(sorted({name for pile in halves.values() for name in pile.classes}))
    if all(name.lower() in (*TRAIN, *TEST) for name in names):
        raise UserError(
            f"{path} has images in {' and '.join(names)} but no class folders there: put them into "
            "one folder a class, inside each"
        )
    if len(names) < 2:
        raise UserError(
            f"{path} holds one class only ({names[0]}): a classifier needs two folders or more"
        )
    sets = {half: _image_set(pile, names, scratch) for half, pile in halves.items()}
    for half, images in sets.items():
        _check_counts(path, half, images)
    if "train" in sets and "test" in sets:
        train, test = sets["train"], sets["test"]
        spelt = {part for file in piles["test"].files for part in file[:-2] if part.lower() in TEST}
        if len(spelt) > 1:
            notes.append(f"the test images are those of {' and '.join(sorted(spelt))} together")
    else:
        only = next(iter(sets.values()))
        rest, held_out = stratified_split(only.labels, TEST_SHARE, 0, len(names))
        train, test = (
            ImageSet(select(only.images, part, scratch), only.labels[part], names)
            for part in (rest, held_out)
        )
        notes.append(
            f"there was no test half: a stratified {TEST_SHARE:.0%} ({len(test)} images) was "
            "held out as test images, by seed 0"
        )
    notes += _shared_images(train, test)
    return train, test, notes


def _image_set(pile: _Pile, names: tuple[str, ...], scratch: Path | None) -> ImageSet:
    """In the order of the files' names, which an archive need not be packed in: the same images
    have one fingerprint wherever they lie, and a skew keeps the same ones.
    """
    index = {name: k for k, name in enumerate(names)}
    labels = np.array([index[name] for name in pile.classes], dtype=np.int64)
    pixels = pile.pixels.array()
    order = np.array(sorted(range(len(labels)), key=pile.files.__getitem__), dtype=np.int64)
    if (np.diff(order) < 0).any():
        pixels, labels = select(pixels, order, scratch), labels[order]
    return ImageSet(pixels, labels, names)


def _check_counts(path: Path, half: str, images: ImageSet) -> None:
    where = f"{path}/{half}" if half else str(path)
    counts = images.counts()
    for k, name in enumerate(images.class_names):
        if counts[k] == 0:
            raise UserError(
                f"class {name!r} has no images in {where}: train/ and test/ need the same classes"
            )
        if counts[k] == 1 and half != "test":
            raise UserError(
                f"class {name!r} has one image in {where}: add images or remove the folder"
            )


def _shared_images(train: ImageSet, test: ImageSet) -> list[str]:
    """A note if test images are, pixel for pixel, among the training images."""
    ours, theirs = hashes(train.images), hashes(test.images)
    shared = 0
    for position in np.flatnonzero(np.isin(theirs, ours)):
        alike = np.flatnonzero(ours == theirs[position])
        shared += any(np.array_equal(test.images[position], train.images[k]) for k in alike)
    if not shared:
        return []
    return [
        f"{shared} of the test images are also among the training images: accuracy is flattered"
    ]
