"""Remedies and networks register themselves by being defined; a name is one thing's alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from typing import Any, ClassVar, Protocol

from unskew.errors import UserError

FOREIGN: list[str] = []
"""Names of all that is not the package's own, in the order in which it was defined."""


class Named(Protocol):
    """A class that recipes know by a name."""

    name: ClassVar[str]


def register(
    kind: type[Named], known: dict[str, Any], what: str, taken: Collection[str] = ()
) -> None:
    """Enter a class into `known` by its name; a cell of a notebook may define it again.

    Parameters
    ----------
    what: it is, in a word: "remedy".
    taken: names of the package's own that are not in `known`.

    Raises
    ------
    UserError: the name is another's, or no recipe could tell it from something else. Of two, the
        package's own keeps it.
    """
    name = kind.name
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) or name == "none":
        raise UserError(
            f"a {what} cannot be called {name!r}: choose a word of letters, digits and _ that is "
            "not 'none'"
        )
    if name in taken:
        raise UserError(f"there is a {what} {name!r} already, in unskew: give yours another name")
    other = known.get(name)
    if other is None or other.__module__ == kind.__module__:
        known[name] = kind
        if not is_own(kind.__module__):
            FOREIGN.append(name)
        return
    if is_own(kind.__module__):
        known[name], other = kind, kind
    where = getattr(sys.modules.get(other.__module__), "__file__", None) or other.__module__
    raise UserError(f"there is a {what} {name!r} already, in {where}: give yours another name")


def is_own(module: str) -> bool:
    """Whether a module is of this package."""
    return module.split(".")[0] == __name__.split(".")[0]
