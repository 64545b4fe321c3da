"""The option that names files of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="A Python file that defines remedies or networks of your own; repeatable.",
        show_default=False,
    ),
]
