"""What was found of either half, as a training and a test set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unskew.data.hashes import hashes
from unskew.data.imageset import ImageSet
from unskew.data.scratch import ScratchImages, select
from unskew.data.split import stratified_split
from unskew.errors import UserError

TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
TEST_SHARE = 0.2


@dataclass
class Pile:
    """What was found for one half, in the order it was read."""

    pixels: ScratchImages
    classes: list[str] = field(default_factory=list)
    files: list[tuple[str, ...]] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    rows: NDArray[np.int64] | None = None
    """Of the pixels, which these are of; None: all."""

    def only(self, rows: NDArray[np.int64]) -> Pile:
        """Some of it."""
        return Pile(
            self.pixels,
            [self.classes[row] for row in rows],
            [self.files[row] for row in rows],
            [self.stored[row] for row in rows],
            rows,
        )


def assemble(
    path: Path, piles: dict[str, Pile], notes: list[str], scratch: Path | None
) -> tuple[ImageSet, ImageSet, list[str]]:
    """(train, test, notes) of the halves that were found, "train", "test" and "" (neither).

    Parameters
    ----------
    notes: what is to be said already.

    Raises
    ------
    UserError: what was found is no training and test set, nor can be divided into them.
    """
    halves = {half: pile for half, pile in piles.items() if pile.classes}
    _check_any(path, halves, notes)
    for pile in halves.values():
        _check_beside(path, pile)
    notes += _repeated(halves)
    names = tuple(sorted({name for pile in halves.values() for name in pile.classes}))
    _check_layout(path, halves, names)
    sets = {half: _image_set(pile, names, scratch) for half, pile in halves.items()}
    for half, images in sets.items():
        _check_counts(path, half, images)
    if "train" in sets and "test" in sets:
        train, test = sets["train"], sets["test"]
        spelt = _test_folders(halves["test"])
        if len(spelt) > 1:
            notes.append(f"the test images are those of {' and '.join(sorted(spelt))} together")
        elif not spelt & {"test", "testing"}:
            notes.append(f"the test images are those of {min(spelt)}, for want of others")
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


def _check_any(path: Path, halves: dict[str, Pile], notes: list[str]) -> None:
    if halves:
        return
    why = f" ({'; '.join(notes)})" if notes else ""
    raise UserError(
        f"{path} holds no images in class folders{why}: put JPEG or PNG files into one folder a "
        "class"
    )


def _check_beside(path: Path, pile: Pile) -> None:
    """A class is the folder that its images lie in, so that folders within classes would be taken
    for classes, and those of one name in several for one.
    """
    folders: dict[tuple[str, ...], str] = {}
    for file in pile.files:
        around = tuple(part for part in file[:-2] if part.lower() not in (*TRAIN, *TEST))
        folders.setdefault(around, "/".join(file[:-1]))
    if len(folders) > 1:
        first, second = sorted(folders.values())[:2]
        raise UserError(
            f"{path} has images in {first} and in {second}, so that it is unclear what the classes "
            "are: put each class's images directly into a folder, and these beside each other"
        )


def _repeated(halves: dict[str, Pile]) -> list[str]:
    """Leave out all but the last file of a path, as what unpacks an archive would; told as notes.

    Archives grow by what is appended to them, and a file that was changed is in them twice. Names
    that only read alike, as where a letter with an accent is one sign or two, are of two files.
    """
    again = 0
    for half, pile in halves.items():
        last = {stored: row for row, stored in enumerate(pile.stored)}
        again += len(pile.files) - len(last)
        if len(last) < len(pile.files):
            halves[half] = pile.only(np.array(sorted(last.values()), dtype=np.int64))
    if not again:
        return []
    return [f"{again} files are in the archive again, further on: the last of each counts"]


def _check_layout(path: Path, halves: dict[str, Pile], names: tuple[str, ...]) -> None:
    if "" in halves and len(halves) > 1:
        raise UserError(
            f"{path} has class folders both beside and inside train/ and test/: keep one layout"
        )
    if set(halves) == {"test"}:
        above = "/ and ".join(sorted(_test_folders(halves["test"])))
        raise UserError(
            f"{path} has test images in {above}/ but no train/: put the training images there, or "
            "the class folders beside each other without either"
        )
    if all(name.lower() in (*TRAIN, *TEST) for name in names):
        raise UserError(
            f"{path} has images in {' and '.join(names)} but no class folders there: put them into "
            "one folder a class, inside each"
        )
    if len(names) < 2:
        raise UserError(
            f"{path} holds one class only ({names[0]}): a classifier needs two folders or more"
        )


def _test_folders(pile: Pile) -> set[str]:
    return {part for file in pile.files for part in file[:-2] if part.lower() in TEST}


def _image_set(pile: Pile, names: tuple[str, ...], scratch: Path | None) -> ImageSet:
    """In the order of the files' names, which an archive need not be packed in: the same images
    have one fingerprint wherever they lie, and a skew keeps the same ones.
    """
    index = {name: k for k, name in enumerate(names)}
    labels = np.array([index[name] for name in pile.classes], dtype=np.int64)
    pixels = pile.pixels.array()
    order = np.array(sorted(range(len(labels)), key=pile.files.__getitem__), dtype=np.int64)
    if pile.rows is not None:
        pixels, labels = select(pixels, pile.rows[order], scratch), labels[order]
    elif (np.diff(order) < 0).any():
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
