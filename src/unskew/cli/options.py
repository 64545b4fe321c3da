"""Turning the text of command-line options into typed values."""

from __future__ import annotations

from collections.abc import Iterable

from unskew.errors import UserError

Value = bool | int | float | str | tuple[float, ...]


def parse_options(items: Iterable[str]) -> dict[str, Value]:
    """["a=1", "b=x"] as {"a": 1, "b": "x"}; numbers and true/false are recognised.

    Raises
    ------
    UserError: an item has no "=".
    """
    options: dict[str, Value] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UserError(f"{item!r} is no option: write it as name=value")
        options[name] = parse_value(value)
    return options


def parse_nested_options(items: Iterable[str]) -> dict[str, dict[str, Value]]:
    """["focal.gamma=1"] as {"focal": {"gamma": 1}}.

    Raises
    ------
    UserError: an item is not of the form part.name=value.
    """
    nested: dict[str, dict[str, Value]] = {}
    for key, value in parse_options(items).items():
        part, dot, name = key.partition(".")
        if not dot:
            raise UserError(f"{key!r} names no remedy: write it as remedy.option=value")
        nested.setdefault(part, {})[name] = value
    return nested


def parse_value(text: str) -> Value:
    """An int, a float, a truth value, several numbers between commas, or else the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if "," in text:
        try:
            return tuple(float(part) for part in text.split(","))
        except ValueError:
            return text
    return text
