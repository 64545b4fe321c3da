"""One document in the making: its language, and where its figures go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from unskew.report.catalogue import Words
from unskew.report.document import Picture
from unskew.report.figures import style
from unskew.study.text import in_language


@dataclass
class Page:
    """Words and drawn figures.

    Attributes
    ----------
    words: messages in the document's language.
    figures: folder the figures are written to.
    drawn: the inline SVG of every figure by name.
    """

    words: Words
    figures: Path
    drawn: dict[str, str] = field(default_factory=dict, kw_only=True)

    def text(self, text: dict[str, str]) -> str:
        """A study's text in the document's language."""
        return in_language(text, self.words.language)

    def draw(
        self, name: str, figure: Figure, caption: str, alt: str, *, bitmap: bool = False
    ) -> Picture:
        """Write a figure's files and give the block that shows it."""
        self.drawn[name] = style.save(figure, self.figures, name)
        return Picture(name, caption, alt, bitmap)
