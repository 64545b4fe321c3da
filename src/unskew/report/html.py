"""A document as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from unskew.report.binding import bound
from unskew.report.document import Block, Document, Picture


def to_html(document: Document, drawn: dict[str, str], figures: Path) -> str:
    """The page; every text of a study or data set is escaped.

    Parameters
    ----------
    drawn: inline SVG by the figure's name.
    figures: folder with the PNG files of figures that are shown as bitmaps.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["bound"] = bound

    def prepared(blocks: tuple[Block, ...]) -> list[dict[str, Any]]:
        return [
            {
                "kind": type(block).__name__,
                "block": block,
                "source": _source(block, drawn, figures),
            }
            for block in blocks
        ]

    sections = [
        {"title": s.title, "anchor": s.anchor, "blocks": prepared(s.blocks)}
        for s in document.sections
    ]
    return environment.get_template("page.html.j2").render(
        document=document, lead=prepared(document.lead), sections=sections
    )


def _source(block: Block, drawn: dict[str, str], figures: Path) -> Markup | str:
    if not isinstance(block, Picture):
        return ""
    if block.bitmap:
        data = base64.b64encode((figures / f"{block.name}.png").read_bytes()).decode()
        return f"data:image/png;base64,{data}"
    # Matplotlib has escaped the texts inside; the description is added for screen readers.
    label = f'<svg role="img" aria-label="{html.escape(block.alt, quote=True)}"'
    return Markup(drawn[block.name].replace("<svg", label, 1))
