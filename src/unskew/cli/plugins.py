"""The option that names files of remedies of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="A Python file that defines remedies of your own; repeatable.",
        show_default=False,
    ),
]


def add_plugins(files: list[Path] | None) -> None:
    """Have the files loaded when remedies are asked for, here and in processes started from now on.

    Raises
    ------
    UserError: there is no such file.
    """
    if files:
        from unskew.remedies import plugins

        plugins.add_plugins(files)


def use_plugins(files: list[Path] | None) -> None:
    """Load the files at once: what is wrong with one is said though no run has its remedy.

    Raises
    ------
    UserError: as `unskew.remedies.registry.use_plugins`.
    """
    if files:
        from unskew.remedies import registry

        registry.use_plugins(files)
