"""The report's own words, by language."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from unskew.errors import UserError
from unskew.study.text import LANGUAGES


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

    def over(self, key: str, counts: Iterable[int], **values: object) -> str:
        """A message on figures over seeds; of one seed alone what is said of that, KEY_one: it
        has no mean over seeds, no interval and no band.

        Parameters
        ----------
        counts: seeds of each of the things that are told of; {seeds} says how many.
        """
        each = list(counts)
        told = {"seeds": self.seeds(*each)} if each else {}
        one = max(each, default=0) == 1
        return self(f"{key}_one" if one else key, **{**told, **values})

    def sentences(self, *parts: str) -> str:
        """Sentences one after the other; empty ones left out."""
        return self("words.between_sentences").join(part for part in parts if part)

    def metric(self, name: str) -> str:
        """What a metric is called."""
        return self._messages.get(f"metric.{name}", name.replace("_", " "))

    def network(self, name: str, description: str) -> str:
        """What a network is, or else its own English description."""
        return self._messages.get(f"network.{name}") or description


@cache
def _messages(language: str) -> dict[str, str]:
    path = Path(__file__).with_name("words") / f"{language}.toml"
    flat: dict[str, str] = {}
    for section, messages in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for key, text in messages.items():
            flat[f"{section}.{key}"] = text
    return flat
