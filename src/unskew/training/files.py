"""A run's and a study's files: written whole, and read as if anything had happened to them."""

from __future__ import annotations

import csv
import errno
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter
from safetensors import SafetensorError

from unskew.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Kind = TypeVar("Kind")

RUN_AGAIN = "delete its folder, and run it again"
"""How a damaged file of a run is mended: the rest of the study stays."""

PART = ".part"
"""Ends the name of a file that is not whole yet."""

_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""One a kind, because making one takes longer than using it."""


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a kill leaves the old one or the new one, never half of it."""
    with whole(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all.

    Raises
    ------
    OSError: it cannot be written; safetensors has an exception of its own for a full disk.
    """
    from safetensors.torch import save_file  # and with it PyTorch, which reading needs not

    with whole(path) as scratch:
        try:
            save_file({k: v.detach().contiguous() for k, v in tensors.items()}, scratch, metadata)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error)) from None


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file to write that becomes `path` once it is whole; until then what was there stays.

    Its name is this writing's own, because two processes may write the same file of a shared
    study, and two machines give the same number to theirs.
    """
    scratch = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def reading(path: Path, mend: str) -> Iterator[None]:
    """Whatever goes wrong inside is the file's fault, and is said in one sentence.

    Parameters
    ----------
    mend: what the user can do about it.

    Raises
    ------
    UserError: the file is missing, cannot be read or does not hold what it should.
    """
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {mend}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, RuntimeError, csv.Error, SafetensorError):
        raise UserError(f"{path} is damaged: {mend}") from None


@contextmanager
def writing(what: str, path: Path) -> Iterator[None]:
    """What cannot be written inside is said in one sentence.

    Parameters
    ----------
    what: is written, in words: "the run's folder".

    Raises
    ------
    UserError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {what} {path}: {error.strerror or error}") from None


def read_json(path: Path, kind: type[Kind], mend: str) -> Kind:
    """A JSON file as a dataclass, or as a dictionary of some; every field has its type.

    Raises
    ------
    UserError: as `reading`; a number that is not finite counts as damage.
    """
    with reading(path, mend):
        text = path.read_text(encoding="utf-8")
        values = json.loads(text, parse_float=_finite, parse_constant=_finite)
        adapter = _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))
        value: Kind = adapter.validate_python(values)
        return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value
