"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """For results; coloured on a terminal only."""
    return _console()(soft_wrap=True)


def stderr() -> Console:
    """For progress, warnings and mistakes; coloured on a terminal only."""
    return _console()(stderr=True, soft_wrap=True)


def on_terminal() -> bool:
    """Whether bars can be drawn on standard error. Rich alone would say so of a log as well where
    FORCE_COLOR is set, which asks for colours and for nothing else.
    """
    return stderr().is_terminal and sys.stderr is not None and sys.stderr.isatty()


@cache
def _console() -> type[Console]:
    from rich.console import Console

    class Lasting(Console):
        """Outlives its reader (`head`, a pager), where rich's would end the training."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            _discard(self.file)

    return Lasting


def _discard(stream: IO[str]) -> None:
    """What is still written to a stream that nobody reads, at exit too, is no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def take_any_text() -> None:
    """A letter that standard output cannot encode is escaped, so that no run ends in an error over
    its own name; bytes of a path that are no UTF-8 are printed as they are.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        whole = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if whole else "backslashreplace")


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
    """One JSON document on standard output, in ASCII: a path may hold what no encoding does."""
    try:
        print(json.dumps(value, indent=2), flush=True)
    except BrokenPipeError:
        _discard(sys.stdout)
