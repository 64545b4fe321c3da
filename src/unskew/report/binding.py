"""Where no line may break."""

from __future__ import annotations

import re


def unbroken(text: str) -> str:
    """The text with no-break spaces around a sign, after a minus and before a per cent."""
    text = re.sub(r" ([=<±]) (?=\S)", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)
    text = re.sub(r"− (?=\S)", "−\N{NO-BREAK SPACE}", text)
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def bound(text: str) -> str:
    """For a browser, which also breaks at a hyphen: `unbroken`, and 1e-3 in one piece."""
    return re.sub(r"(?<=\de)-(?=\d)", "-\N{WORD JOINER}", unbroken(text))
