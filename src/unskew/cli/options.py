"""Turning the text of command-line options into typed values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_origin

from unskew.errors import UserError

Value = bool | int | float | str | tuple[float, ...]

FILLED_IN = {
    "fingerprint": "the data are opened",
    "model_source": "the file of a network is loaded",
    "remedy_sources": "the files of remedies are loaded",
}
"""Fields of a recipe that are not for people to set, and when they get their values."""


def parse_options(items: Iterable[str]) -> dict[str, Value]:
    """["a=1", "b=x"] as {"a": 1, "b": "x"}; numbers and true/false are recognised.

    Raises
    ------
    UserError: an item has no "=", or a name is given twice.
    """
    return {name: parse_value(text) for name, text in _split(items).items()}


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


def parse_settings(items: Iterable[str]) -> dict[str, Any]:
    """["skew=step:0-4:0.1", "milestones=5"] as fields of a recipe, each read as its type asks.

    The values are plain, as in a study file, so that a study says the same from either. Options of
    the network and of remedies are written as model_options.name and remedy_options.remedy.name.

    Raises
    ------
    UserError: an item has no "=", a field is given twice or is not for people to set, or a skew is
        none.
    """
    settings: dict[str, Any] = {}
    within: dict[str, list[str]] = {"model_options": [], "remedy_options": []}
    for name, text in _split(items).items():
        if name in FILLED_IN:
            raise UserError(f"{name} is filled in when {FILLED_IN[name]}: leave it out")
        field, _, inner = name.partition(".")
        if field in within:
            within[field].append(f"{inner}={text}")
        else:
            settings[name] = _parse_setting(name, text)
    if within["model_options"]:
        settings["model_options"] = parse_options(within["model_options"])
    if within["remedy_options"]:
        settings["remedy_options"] = parse_nested_options(within["remedy_options"])
    return settings


def refuse_twice(settings: Iterable[str], option: str, field: str) -> None:
    """An option and `--set` do not both say what a field is.

    Raises
    ------
    UserError: they do.
    """
    if field in settings:
        raise UserError(f"{field} is given twice, by {option} and by --set {field}: keep one")


def _split(items: Iterable[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise UserError(f"{item!r} is no option: write it as name=value")
        if name in texts:
            raise UserError(
                f"{name} is given twice, as {name}={texts[name]} and as {item}: keep one"
            )
        texts[name] = text
    return texts


def _parse_setting(name: str, text: str) -> Any:
    from unskew.data.skew import parse_skew
    from unskew.training.recipe import Recipe

    if name in ("skew", "test_skew"):
        return parse_skew(text).model_dump(mode="json")
    field = Recipe.model_fields.get(name)
    if field is not None and field.annotation is str:
        return text  # a folder may be called 2024
    if field is not None and get_origin(field.annotation) is tuple:
        return [parse_value(part) for part in text.split(",")]
    return parse_value(text)


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
