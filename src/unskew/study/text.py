"""Texts of a study file, in one language or several, with placeholders."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

LANGUAGES = ("en", "zh")
"""What reports are written in."""


def _in_our_languages(text: dict[str, str]) -> dict[str, str]:
    """What nobody could read would be shown as if it were English."""
    for language, words in text.items():
        if language not in LANGUAGES:
            raise ValueError(
                f"{words!r} is in the language {language!r}, and reports are in "
                f"{' or '.join(LANGUAGES)}: write it in one of these"
            )
    return text


Text = Annotated[
    dict[str, str],
    BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value),
    AfterValidator(_in_our_languages),
]
"""A text by language ("en", "zh"); a plain string is English."""


def in_language(text: dict[str, str], language: str) -> str:
    """The text in a language, else in English, else in whatever there is."""
    return text.get(language) or text.get("en") or next(iter(text.values()), "")


def fill(template: str, values: dict[str, Any]) -> str:
    """A template with each {field} replaced by its value; other braces stay as they are."""
    for field, value in values.items():
        shown = short_number(value) if isinstance(value, int | float) else str(value)
        template = template.replace("{" + field + "}", shown)
    return template


def told_apart(labels: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Texts by name, with the name in brackets where two read alike in some language, of which
    one may have no text and be read in another.
    """
    languages = {language for label in labels.values() for language in label}
    read = {
        name: {language: in_language(label, language) for language in languages}
        for name, label in labels.items()
    }
    count = Counter(item for label in read.values() for item in label.items())
    return {
        name: {
            language: text if count[language, text] == 1 else f"{text} ({name})"
            for language, text in label.items()
        }
        for name, label in read.items()
    }


def short_number(value: float) -> str:
    """A number as people write it in a table: 0, 0.05, 1e-4, 100."""
    if 0 < abs(value) <= 0.01:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:g}"
