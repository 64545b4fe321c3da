"""One look for all figures, and how they are written."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import matplotlib
from matplotlib.figure import Figure

from unskew.report.binding import unbroken

INK, FAINT = "#222221", "#d5d5d4"
"""Text and grid. Odd values, so that an inline SVG can swap them for the page's own colours."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
"""Okabe & Ito's colours, told apart with any kind of colour vision."""

WIDTH = 7.6
"""Inches; 547 points, so that text of 9 points is 9 points on a page of that width."""

_FONTS = ["DejaVu Sans"]
_CJK = ["Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "Microsoft YaHei", "SimHei",
        "PingFang SC", "WenQuanYi Zen Hei"]  # fmt: skip

_STYLE: dict[str, Any] = {
    "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.linewidth": 0.7, "xtick.major.width": 0.7,
    "ytick.major.width": 0.7, "grid.color": FAINT, "grid.linewidth": 0.6, "axes.grid": True,
    "lines.linewidth": 1.6, "legend.frameon": False, "figure.facecolor": "none",
    "axes.facecolor": "none", "savefig.facecolor": "none", "svg.fonttype": "none",
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a class may be called "$5 to $10"
}  # fmt: skip


@contextmanager
def styled() -> Iterator[None]:
    """Figures made inside have the report's look; nothing outside is changed."""
    from matplotlib import font_manager

    have = {font.name for font in font_manager.fontManager.ttflist}
    fonts = _FONTS + [name for name in _CJK if name in have]
    # Matplotlib's stubs list every key by name; Any says that this is on purpose.
    look: Any = {**_STYLE, "font.family": fonts}
    with matplotlib.rc_context(look):
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of the report's width; needs no display."""
    return Figure(figsize=(width, height))


def wrapped(label: str, width: int = 36) -> str:
    """A label in lines of at most so many letters; Chinese ones count twice."""
    label = unbroken(label)
    wide = sum(east_asian_width(letter) in "WF" for letter in label)
    fits = max(6, round(width * len(label) / (len(label) + wide))) if label else width
    lines = "\n".join(textwrap.wrap(label, fits)) or label
    return lines.replace("\N{NO-BREAK SPACE}", " ")


def row_height(labels: Iterable[str], least: float) -> float:
    """Inches that a row needs beside its label; all rows are as tall as the longest label's.

    Parameters
    ----------
    labels: in lines already, as `wrapped` leaves them.
    least: of a row whose label has one line.
    """
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    return max(least, 0.08 + 0.14 * lines)


def entry(label: str) -> str:
    """A label as a legend takes it: Matplotlib leaves out what begins with an underscore."""
    return f"\N{ZERO WIDTH SPACE}{label}" if label.startswith("_") else label


def colour(index: int) -> str:
    """The palette's colour for the n-th of some things; it starts again when it runs out."""
    return PALETTE[index % len(PALETTE)]


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write NAME.png (on white, 160 dots an inch) and NAME.svg; returns the SVG for the page.

    The page's SVG takes its colours from CSS variables, so it follows a dark theme.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=160, facecolor="white")
    with matplotlib.rc_context(
        {"svg.hashsalt": name, "svg.fonttype": "none", "figure.constrained_layout.use": False}
    ):
        # As laid out. To ask any engine, even one that does nothing, all would be drawn once more.
        figure.set_layout_engine(None)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    (folder / f"{name}.svg").write_text(text, encoding="utf-8")
    return _inline(text)


def _inline(svg: str) -> str:
    """An SVG file's text as an element of a page that holds many of them."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # A style sheet inside would act on the whole page, and plain ids would collide there.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    used = set(re.findall(r"#([\w-]+)", body))
    body = re.sub(r' id="([\w-]+)"', lambda m: m[0] if m[1] in used else "", body)
    # The page sets the size: full width for a figure of WIDTH, in proportion for a smaller one.
    width = float(re.search(r'width="([\d.]+)pt"', body)[1])  # type: ignore[index]
    share = min(1.0, width / (WIDTH * 72))
    body = re.sub(r' width="[^"]*"', f' style="max-width: {share:.0%}"', body, count=1)
    body = re.sub(r' height="[^"]*"', "", body, count=1)
    body = body.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
    for index, tint in enumerate(PALETTE):
        body = body.replace(tint, f"var(--c{index})")
    return body
