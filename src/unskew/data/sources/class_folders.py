"""Images in one folder a class, loose or in an archive, with or without train/ and test/."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from unskew.data.decode import image_format
from unskew.data.imageset import ImageSet
from unskew.data.scratch import ScratchImages
from unskew.data.sources.common_size import DEFAULT_SIZE, all_of, sized
from unskew.data.sources.decoding import Decoded, decoded
from unskew.data.sources.folder import empty_folders
from unskew.data.sources.halves import TEST, TRAIN, Pile, assemble
from unskew.data.sources.member import TOO_LARGE, Member
from unskew.data.sources.members import members
from unskew.errors import UserError

Progress = Callable[[str, int, int], None]


@dataclass
class _Found:
    """All that was found: the halves ("" where there are none), files that were skipped and why,
    images in no class folder, and folders without an image.
    """

    piles: dict[str, Pile]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)


def read_class_folders(
    path: Path,
    *,
    image_size: int | None = None,
    strict: bool = False,
    progress: Progress | None = None,
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
    with warnings.catch_warnings():
        # Here and not a file at a time: who is warned is the whole process's affair, and the files
        # are decoded by several threads.
        warnings.filterwarnings("ignore", module="PIL")
        found = _found(path, image_size, strict, progress, scratch)
        if found is None:
            found = _found(path, DEFAULT_SIZE, strict, progress, scratch)
            assert found is not None
    return assemble(path, found.piles, _notes(found), scratch)


def _told(progress: Progress | None, what: str) -> Callable[[int, int], None]:
    if progress is None:
        return lambda done, total: None
    return lambda done, total: progress(what, done, total)


def _found(
    path: Path, wanted: int | None, strict: bool, progress: Progress | None, scratch: Path | None
) -> _Found | None:
    """Everything there is, decoded.

    The set is hoped to have one size, that of its first image, and decoded to it while every other
    image is asked for its own: to ask them all first would read an archive twice.

    Parameters
    ----------
    wanted: height and width to decode to; None: their own, if they all have the same.

    Returns
    -------
    None where none is wanted and the images are of several sizes.

    Raises
    ------
    UserError: something is to be left out, and `strict` is set.
    """
    found = _Found({half: Pile(ScratchImages(scratch)) for half in ("train", "test", "")})
    if path.is_dir():
        found.lost.update(empty_folders(path))
    files = _in_folders(members(path, _told(progress, "decoding images")), found)
    size = wanted
    if size is None:
        files, size = sized(files)
    for block in decoded(files, size):
        if wanted is None and size != DEFAULT_SIZE and not all_of(size, block):
            return None
        _sort_out(block, found)
        if strict and found.skipped:  # nobody wants to wait for the rest
            break
    folders = {file[:-1] for pile in found.piles.values() for file in pile.files}
    # A list beside classes is no class.
    found.lost -= {part for folder in folders for part in folder}
    found.lost -= {name for name in found.lost if name.lower() in (*TRAIN, *TEST)}
    if strict:
        _refuse(path, found)
    return found


def _refuse(path: Path, found: _Found) -> None:
    """Raise UserError for the first thing that is to be left out."""
    if found.skipped:
        file, problem = found.skipped[0]
        raise UserError(f"{path}: {file} is {problem}: remove it or leave out --strict")
    if found.loose:
        raise UserError(
            f"{path}: {found.loose[0]} is in no class folder: move it or leave out --strict"
        )
    if found.lost:
        raise UserError(
            f"{path}: class {min(found.lost)!r} has no image: add some, remove the folder or "
            "leave out --strict"
        )


def _in_folders(files: Iterator[Member], found: _Found) -> Iterator[Member]:
    """The files that lie in a folder; of those that do not, images and what may have been a folder
    once, such as a link to a disk that is not there, are kept in mind.
    """
    for member in files:
        if len(member.parts) >= 2:
            yield member
        elif member.data is None and member.why != TOO_LARGE:
            found.skipped.append((member.parts[-1], member.why))
        elif member.data and image_format(member.data):
            found.loose.append(member.parts[-1])


def _sort_out(block: Decoded, found: _Found) -> None:
    """Each image to the half that it belongs to, and what is none to what was skipped."""
    rows: dict[str, list[int]] = {}
    for row, (member, problem) in enumerate(zip(block.members, block.problems, strict=True)):
        half, name = _place(member.parts[:-1])
        if problem:
            found.skipped.append(("/".join(member.parts), problem))
            found.lost.add(name)
            continue
        rows.setdefault(half, []).append(row)
        found.piles[half].classes.append(name)
        found.piles[half].files.append(member.parts)
        found.piles[half].stored.append(member.stored)
    for half, good in rows.items():
        whole = len(good) == len(block.pixels)
        found.piles[half].pixels.add(block.pixels if whole else block.pixels[good])


def _notes(found: _Found) -> list[str]:
    """What was left out, in sentences."""
    notes = []
    if found.skipped:
        file, why = found.skipped[0]
        notes.append(f"{len(found.skipped)} files were skipped; the first is {file}: {why}")
    if found.loose:
        notes.append(
            f"{len(found.loose)} images in no class folder were left out, {found.loose[0]} among "
            "them"
        )
    if found.lost:
        names = ", ".join(map(repr, sorted(found.lost)))
        notes.append(f"folders without a readable image are no classes here: {names}")
    return notes


@cache
def _place(folders: tuple[str, ...]) -> tuple[str, str]:
    """(half, class) of the folders above a file: the class is the one that it lies in."""
    for part in reversed(folders[:-1]):  # what lies around both halves may be called training
        if part.lower() in TRAIN:
            return "train", folders[-1]
        if part.lower() in TEST:
            return "test", folders[-1]
    return "", folders[-1]
