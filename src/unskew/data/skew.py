"""Profiles that leave some classes few images."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from unskew.data.randomness import stream
from unskew.errors import UserError


class StepSkew(BaseModel):
    """Some classes keep a share of their images, the others keep all (Buda et al. 2018).

    Attributes
    ----------
    classes: labels that are cut.
    keep: share of a cut class's images that stay, in (0, 1]; at least one image stays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Literal["step"] = "step"
    classes: tuple[int, ...] = Field(min_length=1)
    keep: float = Field(gt=0, le=1, allow_inf_nan=False)


class ExponentialSkew(BaseModel):
    """Counts fall exponentially with the label: class k keeps ratio^(-k / (K - 1)) of the largest
    class's count (Cui et al. 2019, section 5.1).

    Attributes
    ----------
    imbalance_ratio: count of the first class over count of the last, 1 or more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Literal["exponential"] = "exponential"
    imbalance_ratio: float = Field(ge=1, allow_inf_nan=False)


Skew = StepSkew | ExponentialSkew

LONGEST = 60
"""Characters of a list of classes in a skew's short name; of a longer one a digest stands there."""

MOST = 100_000
"""Classes that a list on the command line may name: a slip of the hand must not fill memory."""


def kept_counts(skew: Skew, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Images of each class that stay, int64 (K,), from the counts before, int64 (K,).

    Raises
    ------
    UserError: a step names a class that there is not.
    """
    if isinstance(skew, StepSkew):
        beyond = [k for k in skew.classes if not 0 <= k < len(counts)]
        if beyond:
            raise UserError(
                f"the skew names class {beyond[0]}, but the data have classes 0 to "
                f"{len(counts) - 1}: correct its classes"
            )
        kept = counts.astype(np.float64)
        kept[list(skew.classes)] *= skew.keep
    else:
        exponents = np.arange(len(counts)) / max(len(counts) - 1, 1)
        kept = np.minimum(counts, counts.max() * skew.imbalance_ratio**-exponents)
    # The small term undoes rounding below a whole number, as in 5000 * 0.1.
    return np.maximum(np.floor(kept + 1e-9), np.minimum(counts, 1)).astype(np.int64)


def skew_indices(
    skew: Skew, labels: NDArray[np.int64], num_classes: int, seed: int
) -> NDArray[np.int64]:
    """Positions of the images that stay, ascending, int64.

    A class's images are put into a random order that depends on `seed` and the class alone, and
    the first ones stay; so a harsher skew with the same seed keeps a subset of a milder one's.

    Parameters
    ----------
    labels: int64 (N,).
    seed: the subset's seed, apart from the seed of training.
    """
    kept = kept_counts(skew, np.bincount(labels, minlength=num_classes))
    chosen = [
        stream(seed, "skew", k).permutation(np.flatnonzero(labels == k))[: kept[k]]
        for k in range(num_classes)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def describe_skew(skew: Skew | None) -> str:
    """A short name for folders and tables: "full", "step-0to2-keep0.1", "exponential-100"."""
    if skew is None:
        return "full"
    if isinstance(skew, ExponentialSkew):
        return f"exponential-{skew.imbalance_ratio:g}"
    classes = _ranges(skew.classes)
    if len(classes) > LONGEST:  # it is to be part of a folder's name
        digest = hashlib.blake2b(classes.encode(), digest_size=4).hexdigest()
        classes = f"{len(set(skew.classes))}classes-{digest}"
    return f"step-{classes}-keep{skew.keep:g}"


def parse_skew(text: str) -> Skew:
    """A skew as written on the command line: "step:0-4:0.1", "step:0,3,7:0.5", "exponential:100".

    Raises
    ------
    UserError: it is neither.
    """
    try:
        match text.split(":"):
            case ["step", classes, keep]:
                return StepSkew(classes=_parse_classes(classes), keep=float(keep))
            case ["exponential", ratio]:
                return ExponentialSkew(imbalance_ratio=float(ratio))
    except ValueError:
        pass
    raise UserError(
        f"{text!r} is no skew: write step:CLASSES:KEEP with ranges of CLASSES from low to high and "
        "KEEP in (0, 1], as step:0-4:0.1, or "
        "exponential:RATIO with RATIO of 1 or more, as exponential:100"
    )


def _parse_classes(text: str) -> tuple[int, ...]:
    classes: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not found:
            raise ValueError(part)
        first = int(found[1])
        last = int(found[2] or first)
        if not first <= last < MOST or len(classes) + last - first >= MOST:
            raise ValueError(part)
        classes += range(first, last + 1)
    return tuple(classes)


def _ranges(classes: tuple[int, ...]) -> str:
    """(0, 1, 2, 5) as "0to2_5"."""
    runs: list[list[int]] = []
    for k in sorted(set(classes)):
        if runs and k == runs[-1][1] + 1:
            runs[-1][1] = k
        else:
            runs.append([k, k])
    return "_".join(str(a) if a == b else f"{a}to{b}" for a, b in runs)
