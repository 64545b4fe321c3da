"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """For results; coloured on a terminal only."""
    from rich.console import Console

    return Console(soft_wrap=True)


def stderr() -> Console:
    """For progress, warnings and mistakes; coloured on a terminal only."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True)


def result(text: str) -> None:
    """One line on standard output, as it is: brackets in a path or a name are no markup."""
    from rich.text import Text

    stdout().print(Text(text))


def remark(text: str, style: str = "") -> None:
    """One line on standard error, as it is."""
    from rich.text import Text

    stderr().print(Text(text, style))


def complain(label: str, text: str) -> None:
    """One line on standard error that begins with a label in red."""
    from rich.text import Text

    stderr().print(Text.assemble((f"{label}:", "bold red"), f" {text}"))


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C inside ends the program with one sentence and exit code 130."""
    import typer

    try:
        yield
    except KeyboardInterrupt:
        stderr().print("stopped: what was finished is saved; the same command goes on from there")
        raise typer.Exit(130) from None


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
