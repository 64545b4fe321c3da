"""The report's own words, by language."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from unskew.errors import UserError

LANGUAGES = ("en", "zh")


class Words:
    """Messages of one language: `words("published.caption", source=...)`.

    Raises
    ------
    UserError: the language is not known.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise UserError(f"no language {language!r}: the report speaks {', '.join(LANGUAGES)}")
        self.language = language
        self._messages = _messages(language)

    def __call__(self, key: str, **values: object) -> str:
        """The message, its {placeholders} filled."""
        return self._messages[key].format(**values)

    def seeds(self, *counts: int) -> str:
        """ "1 seed", "6 seeds" or, where they differ, "2–6 seeds"."""
        low, high = min(counts), max(counts)
        if low == high == 1:
            return self("words.seed")
        return self("words.seeds", count=low if low == high else f"{low}–{high}")

    def sentences(self, *parts: str) -> str:
        """Sentences one after the other; empty ones left out."""
        return self("words.between_sentences").join(part for part in parts if part)

    def metric(self, name: str) -> str:
        """What a metric is called."""
        return self._messages.get(f"metric.{name}", name.replace("_", " "))


@cache
def _messages(language: str) -> dict[str, str]:
    path = Path(__file__).with_name("words") / f"{language}.toml"
    flat: dict[str, str] = {}
    for section, messages in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for key, text in messages.items():
            flat[f"{section}.{key}"] = text
    return flat
