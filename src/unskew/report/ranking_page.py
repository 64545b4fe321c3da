"""A ranking over studies as a page of its own."""

from __future__ import annotations

from pathlib import Path

from unskew import __version__
from unskew.data.names import readable
from unskew.errors import UserError
from unskew.report.across import Across
from unskew.report.catalogue import Words
from unskew.report.document import Document, Paragraph, Section, Table
from unskew.report.figures.style import styled
from unskew.report.page import Page
from unskew.report.sections.rankings import ranking_blocks
from unskew.report.write import write_document
from unskew.study.plan import plan
from unskew.study.spec import STUDY

STEM = "ranking"


def write_ranking(across: Across, out: Path, form: str = "html", language: str = "en") -> Path:
    """Write the ranking as a page with its diagram; returns its path.

    Parameters
    ----------
    out: a folder of its own.
    form: "html" or "md".
    language: "en" or "zh".

    Raises
    ------
    UserError: the folder is a study's or cannot be written; form or language is unknown.
    """
    if (out / STUDY).exists():
        raise UserError(f"{out} is a study's folder: choose another one with --out")
    page = Page(Words(language), out / "figures")
    with styled():
        return write_document(page, lambda: _document(page, across), out / STEM, form)


def _document(page: Page, across: Across) -> Document:
    words, ranked = page.words, across.ranked
    blocks = ranking_blocks(page, STEM, ranked)
    if across.differing:
        fields = words("words.between_items").join(across.differing)
        blocks.append(Paragraph(words("across.differing", fields=fields), note=True))
    return Document(
        title=words("across.title", metric=words.metric(ranked.metric)),
        language=words.language,
        lead=(Paragraph(words("across.lead", studies=len(across.studies))),),
        sections=(
            Section(words("section.rankings"), tuple(blocks), "rankings"),
            Section(words("across.studies"), (_studies(page, across),), "studies"),
        ),
        contents=words("section.contents"),
        footer=f"unskew {__version__}",
    )


def _studies(page: Page, across: Across) -> Table:
    rows = []
    for folder, study in zip(across.folders, across.studies, strict=True):
        # A run serves every arm of its recipe, and is one.
        runs = {run.folder: run for arm in study.arms.values() for run in arm.runs.values()}
        diverged = sum(run.evaluation is None for run in runs.values())
        planned = plan(study.study, study.planned, study.data.fingerprint)
        over = f"{len(runs):,} / {sum(not run.for_choice for run in planned):,}"
        rows.append(
            (
                readable(str(folder)),
                study.data.name,
                f"{len(study.data.class_names):,}",
                f"{len(study.arms):,}",
                f"{study.planned:,}",
                page.words("across.diverged", over=over, diverged=diverged) if diverged else over,
            )
        )
    header = tuple(page.words("across.header").split("|"))
    return Table(header, tuple(rows), page.words("across.caption"), text_columns=2)
