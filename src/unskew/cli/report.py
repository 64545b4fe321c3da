"""`unskew report`: write a study's report again from its results."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from unskew.cli.console import print_json, result


class Format(StrEnum):
    """What a report can be written as."""

    html = "html"
    md = "md"


class Language(StrEnum):
    """What a report can be written in."""

    en = "en"
    zh = "zh"


def report(
    folder: Annotated[Path, typer.Argument(help="The folder that `unskew study` wrote.")],
    form: Annotated[Format, typer.Option("--format", help="One page, or Markdown.")] = Format.html,
    lang: Annotated[Language, typer.Option(help="English or Chinese.")] = Language.en,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as JSON.")] = False,
) -> None:
    """Write the report and its figures from results alone; works on unfinished studies too.

    Examples:

        unskew report unskew-coursework

        unskew report unskew-coursework --format md --lang zh
    """
    from unskew.cli.progress import report_with_progress

    path = report_with_progress(folder, form.value, lang.value)
    if as_json:
        print_json({"report": str(path)})
    else:
        result(str(path))
