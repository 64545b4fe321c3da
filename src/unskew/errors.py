"""The one exception that a user is meant to see."""

import difflib
from collections.abc import Collection, Iterable


class UserError(Exception):
    """Something the user can mend.

    The message is one sentence (or two) that names the file, option or value at fault and says
    how to mend it. The command line prints it without a traceback and exits with code 2; from
    Python it is raised as it is.
    """


FULL = ("DefaultCPUAllocator", "not enough memory", "out of memory")
"""What PyTorch says where there is no room, by a RuntimeError as by an exception of its own."""


def memory_is_full(error: BaseException) -> bool:
    """Whether an error says that a processor's memory or a GPU's is full."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in FULL)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is probably a misspelling of, or None."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


class UnknownNameError(UserError):
    """A name that is none of the known ones; the message offers the nearest or says which are.

    Parameters
    ----------
    kind: what is named: "model", "remedy", ...
    name: as it was given.
    known: the names there are.
    listing: the command that lists them; without one the message does.
    beside: where others may come from, as the end of a sentence.
    """

    def __init__(
        self, kind: str, name: str, known: Collection[str], listing: str = "", beside: str = ""
    ) -> None:
        near = nearest(name, known)
        if near is not None:
            hint = f"did you mean {near!r}?"
        elif listing:
            hint = f"`{listing}` shows what there is"
        else:
            hint = f"known are {', '.join(known)}"
        if near is None and beside:
            hint += f", and {beside}"
        super().__init__(f"unknown {kind} {name!r}: {hint}")


class MissingExtraError(UserError):
    """An optional dependency is needed and not installed.

    Parameters
    ----------
    package: name of the missing package as pip knows it.
    extra: the extra of unskew that brings it.
    purpose: what it is needed for, as the end of "... is needed to ...".
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{package} is needed to {purpose} and is not installed: "
            f"run  pip install 'unskew[{extra}]'"
        )
