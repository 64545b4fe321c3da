"""A study's folder to its report."""

from __future__ import annotations

from pathlib import Path

from unskew.errors import UserError
from unskew.report.catalogue import Words
from unskew.report.compose import compose
from unskew.report.context import Context
from unskew.report.html import to_html
from unskew.report.markdown import to_markdown
from unskew.study.results import load_results
from unskew.training.run import write_whole

FORMATS = {"html": "report.html", "md": "report.md"}


def write_report(out: Path, form: str = "html", language: str = "en") -> Path:
    """Write the report from results alone, and its figures; returns its path.

    Parameters
    ----------
    out: the folder that a study wrote, finished or not.
    form: "html" or "md".
    language: "en" or "zh".

    Raises
    ------
    UserError: the folder is no study's or cannot be written; form or language is unknown.
    """
    if form not in FORMATS:
        raise UserError(f"no format {form!r}: choose {' or '.join(FORMATS)}")
    context = Context(load_results(out), Words(language), out / "figures")
    path = out / FORMATS[form]
    try:
        document = compose(context)
        text = (
            to_markdown(document)
            if form == "md"
            else to_html(document, context.drawn, context.figures)
        )
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    return path
