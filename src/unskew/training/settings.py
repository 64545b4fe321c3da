"""Recipe and study files as plain values, whatever was written into them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from unskew.errors import UserError

LARGEST = 2**20
"""Characters of a recipe or study file. What is larger is another file."""

LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}""")
"""A key of more than 100 parts, joined by dots: reading it takes memory by their number squared."""

LONG_NUMBER = re.compile(r"\b0[xob][0-9a-fA-F_]{1000}")
"""A number that is too long to be printed, written so that it can be read."""


def read_file(path: Path) -> str:
    """The text of a recipe or study file.

    Raises
    ------
    OSError: it cannot be read.
    UnicodeDecodeError: it is no text in UTF-8.
    UserError: it is too large; the message names no file.
    """
    with path.open(encoding="utf-8") as file:
        text = file.read(LARGEST + 1)  # no more, whatever there is
    if len(text) > LARGEST:
        raise UserError(
            f"it has more than {LARGEST:,} characters, so it is no file of settings: name another"
        )
    return text


def parse_file(text: str) -> dict[str, Any]:
    """The TOML of a recipe or study file as plain values; some editors begin it with a byte order
    mark.

    Raises
    ------
    ValueError: it is no TOML, or such that reading or printing it would take all memory or fail.
    """
    if LONG_KEY.search(text):
        raise ValueError("a key has more than 100 parts: nest it less")
    if LONG_NUMBER.search(text):
        raise ValueError("a number has more than 1,000 digits: write a smaller one")
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        raise ValueError("lists are nested without end") from None
