"""A document as Markdown, for a README or a wiki."""

from __future__ import annotations

import re

from unskew.report.document import Block, Bullets, Document, Heading, Paragraph, Picture, Table


def to_markdown(document: Document) -> str:
    """The document; figures are linked as figures/NAME.png beside the file."""
    parts = [f"# {_escaped(document.title)}", *map(_block, document.lead)]
    for section in document.sections:
        parts += [f"## {_escaped(section.title)}", *map(_block, section.blocks)]
    parts.append(f"*{document.footer}*")
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"### {_escaped(text)}"
        case Paragraph(text, note):
            return f"> {_escaped(text)}" if note else _escaped(text)
        case Bullets(items):
            return "\n".join(f"- {_escaped(item)}" for item in items)
        case Picture(name, caption, alt):
            return f"![{_escaped(alt)}](figures/{name}.png)\n\n*{_escaped(caption)}*"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    marks = [":--" if k < table.text_columns else "--:" for k in range(len(table.header))]
    lines = [_row(table.header), f"| {' | '.join(marks)} |", *map(_row, table.rows)]
    return "\n".join(lines) + f"\n\n*{_escaped(table.caption)}*"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Text whose characters mean nothing to Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
