"""A report before it is HTML or Markdown: sections of paragraphs, tables and figures."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str
    note: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Sentences that stand side by side."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column names the row, the others are figures."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    text_columns: int = 1
    """Columns from the left that hold text and are set flush left."""
    sum_row: bool = False
    """Whether the last row sums up the others."""


@dataclass(frozen=True)
class Picture:
    """A figure: the stem of its files, what it shows, and the same in words for who can't see it.

    Attributes
    ----------
    name: of figures/NAME.svg and figures/NAME.png.
    caption: what is seen, how many seeds, what the band is.
    alt: the content in a sentence.
    bitmap: shown as the PNG, for photographs; else as the SVG, which follows the page's theme.
    """

    name: str
    caption: str
    alt: str
    bitmap: bool = False


Block = Heading | Paragraph | Bullets | Table | Picture


@dataclass(frozen=True)
class Section:
    """One heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]
    anchor: str = ""


@dataclass(frozen=True)
class Document:
    """A whole report in one language."""

    title: str
    language: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...] = field(default=())
    contents: str = ""
    footer: str = ""
