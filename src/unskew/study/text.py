"""Texts of a study file, in one language or several, with placeholders."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

Text = Annotated[
    dict[str, str],
    BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value),
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


def short_number(value: float) -> str:
    """A number as people write it in a table: 0, 0.05, 1e-4, 100."""
    if 0 < abs(value) <= 0.01:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:g}"
