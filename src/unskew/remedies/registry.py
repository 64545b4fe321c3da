"""Remedies by name, alone or joined."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import Field, fields
from functools import cache
from importlib import import_module
from typing import Any

import unskew.remedies
from unskew.errors import UnknownNameError, UserError
from unskew.plugins import digest_of, load_plugins
from unskew.remedies.base import Remedy
from unskew.remedies.compose import compose
from unskew.remedies.options import MOST

AFTER_TRAINING = frozenset({"after_training", "adjustment"})
"""Hooks that leave training as it is."""


def _import_all() -> None:
    """Whatever defines a remedy; it registers itself by being defined."""
    _import_own()
    load_plugins()


@cache
def _import_own() -> None:
    """Every module below this package."""
    package = unskew.remedies
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        import_module(module.name)


def names() -> tuple[str, ...]:
    """The names of all remedies, sorted."""
    _import_all()
    return tuple(sorted(Remedy.known))


def remedy_class(name: str) -> type[Remedy]:
    """The class behind a name.

    Raises
    ------
    UserError: no remedy has this name.
    """
    _import_all()
    if name not in Remedy.known:
        raise UnknownNameError(
            "remedy", name, names(), listing="unskew remedies list",
            beside="--plugin FILE brings one of your own",
        )  # fmt: skip
    return Remedy.known[name]


def description(name: str) -> str:
    """The first paragraph of the remedy's docstring, on one line."""
    return " ".join((inspect.getdoc(remedy_class(name)) or "").split("\n\n")[0].split())


def remedy_sources(spec: str) -> dict[str, str]:
    """Digests of the files that define a spec's remedies, by name, but the package's own.

    Raises
    ------
    UserError: a remedy is unknown.
    """
    found = {name: digest_of(remedy_class(name).__module__) for name in _names_in(spec)}
    return {name: digest for name, digest in found.items() if digest}


def make_remedy(spec: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> Remedy:
    """The remedy that a recipe names.

    Parameters
    ----------
    spec: a name, several joined by "+", or "none".
    options: values of their fields, by remedy and field.

    Raises
    ------
    UserError: a name or option is unknown, a value is of the wrong type or out of range, or
        two parts cannot go together; the message says why.
    """
    options = options or {}
    parts = _names_in(spec)
    for name in options:
        if name not in parts:
            raise UserError(f"options are given for remedy {name!r}, but the remedy is {spec!r}")
    return compose([_make(name, options.get(name, {})) for name in parts])


def trained_part(
    spec: str, options: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """A remedy without its parts that act only after training, as a spec and its options.

    Two recipes with the same trained part train the same network. A part that keeps images out
    of training for its adjustment stays, because it changes what is trained on.

    Raises
    ------
    UserError: as `make_remedy`.
    """
    options = options or {}
    make_remedy(spec, options)
    parts = _names_in(spec)
    kept = [
        name
        for name in parts
        if remedy_class(name).held_out
        or _make(name, options.get(name, {})).overrides() - AFTER_TRAINING
    ]
    return "+".join(kept) or "none", {name: options[name] for name in kept if name in options}


def _names_in(spec: str) -> list[str]:
    return [] if spec == "none" else spec.split("+")


def _make(name: str, options: Mapping[str, Any]) -> Remedy:
    kind = remedy_class(name)
    known = {f.name: f for f in fields(kind)}
    values = {}
    for option, value in options.items():
        if option not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"remedy {name!r} has no option {option!r}: its options are {listed}")
        values[option] = _typed(name, known[option], value)
    try:
        return kind(**values)
    except ValueError as error:
        raise UserError(f"remedy {name!r}: {error}") from None


def _typed(name: str, option: Field[Any], value: Any) -> Any:
    """The value as the type of the option's default; whole numbers pass for fractions."""
    wanted = type(option.default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        # One too large for a fraction stays whole, and is refused with all that are too large.
        return float(value) if abs(value) <= MOST else value
    if wanted is tuple and isinstance(value, list | tuple):
        return tuple(value)
    if type(value) is not wanted:
        raise UserError(
            f"remedy {name!r}: {option.name} = {value!r} should be of type {wanted.__name__}"
        )
    return value
