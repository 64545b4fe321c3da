"""A study's folder to its report, and any document to its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from unskew.errors import UserError
from unskew.report.catalogue import Words
from unskew.report.compose import compose
from unskew.report.context import Context
from unskew.report.document import Document
from unskew.report.html import to_html
from unskew.report.markdown import to_markdown
from unskew.report.page import Page
from unskew.study.results import load_results
from unskew.training.files import write_whole

FORMATS = ("html", "md")


def write_report(
    out: Path,
    form: str = "html",
    language: str = "en",
    listen: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the report from results alone, and its figures; returns its path.

    Parameters
    ----------
    out: the folder that a study wrote, finished or not.
    form: "html" or "md".
    language: "en" or "zh".
    listen: told how many sections are written, and of how many.

    Raises
    ------
    UserError: the folder is no study's or cannot be written; form or language is unknown.
    """
    _check(form)
    context = Context(Words(language), out / "figures", load_results(out))
    return write_document(context, lambda: compose(context, listen), out / "report", form)


def write_document(page: Page, compose: Callable[[], Document], stem: Path, form: str) -> Path:
    """Compose a document, which draws its figures, and write it; returns its path.

    Parameters
    ----------
    page: what it is composed on.
    stem: the file without its suffix.
    form: "html" or "md".

    Raises
    ------
    UserError: a file cannot be written, or the form is unknown.
    """
    _check(form)
    path = stem.with_name(f"{stem.name}.{form}")
    try:
        document = compose()
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = form == "html"
        text = to_html(document, page.drawn, page.figures) if whole else to_markdown(document)
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    return path


def _check(form: str) -> None:
    if form not in FORMATS:
        raise UserError(f"no format {form!r}: choose {' or '.join(FORMATS)}")
