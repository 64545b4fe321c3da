"""Hyper-parameters of remedies, with the range that each may have."""

from __future__ import annotations

import math
from dataclasses import Field, field, fields
from typing import Any

from unskew.errors import UserError

MOST = 1e30
"""Size that a number may have: beyond, what it is multiplied with is infinite in float32."""


def option(
    default: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    one_of: tuple[str, ...] | None = None,
) -> Any:
    """A dataclass field that `check_options` can check.

    Parameters
    ----------
    default: its type is the option's type.
    at_least, above, at_most, below: limits of a number, or of each number of a tuple.
    one_of: the words that a text may be.
    """
    limits = {"at_least": at_least, "above": above, "at_most": at_most, "below": below}
    known = {name: limit for name, limit in limits.items() if limit is not None}
    return field(default=default, metadata={"limits": known, "one_of": one_of})


def allowed(option: Field[Any]) -> str:
    """The values an option may have, in words: "at least 0 and below 1"; "" for any."""
    if option.metadata.get("one_of"):
        return "one of " + ", ".join(map(repr, option.metadata["one_of"]))
    limits = option.metadata.get("limits", {})
    return " and ".join(f"{name.replace('_', ' ')} {limit:g}" for name, limit in limits.items())


def check_options(remedy: Any) -> None:
    """Check the fields of a remedy, a dataclass, against their ranges.

    Raises
    ------
    UserError: a value is outside its range, not finite, or beyond MOST.
    """
    for known in fields(remedy):
        value = getattr(remedy, known.name)
        if not _fits(known, value):
            wanted = allowed(known) or "finite"
            if any(_is_number(part) and abs(part) > MOST for part in _parts(value)):
                wanted = f"at most {MOST:g} in size"
            if isinstance(value, tuple) and not known.metadata.get("one_of"):
                wanted = f"numbers that are {wanted}"
            raise UserError(
                f"remedy {remedy.name!r}: {known.name} = {value!r}, but it must be {wanted}"
            )


def _fits(option: Field[Any], value: Any) -> bool:
    words = option.metadata.get("one_of")
    if isinstance(value, tuple):
        of_numbers = not words and "limits" in option.metadata
        return all(_fits(option, part) and (_is_number(part) or not of_numbers) for part in value)
    if words:
        return value in words
    if not isinstance(value, int | float):
        return True
    limits = option.metadata.get("limits", {})
    return (
        abs(value) <= MOST
        and value >= limits.get("at_least", -math.inf)
        and value > limits.get("above", -math.inf)
        and value <= limits.get("at_most", math.inf)
        and value < limits.get("below", math.inf)
    )


def _parts(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
