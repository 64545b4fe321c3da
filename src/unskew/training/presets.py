"""Recipes that come with the package, by name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from unskew.errors import UnknownNameError

_FOLDER = Path(__file__).parent / "recipes"


def preset_names() -> tuple[str, ...]:
    """The names that `preset` takes."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def preset(name: str) -> dict[str, Any]:
    """The fields that a shipped recipe sets, as plain values.

    Raises
    ------
    UserError: none has this name.
    """
    known = preset_names()
    if name not in known:
        raise UnknownNameError("recipe", str(name), known)
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
