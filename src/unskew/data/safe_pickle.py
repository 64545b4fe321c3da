"""Reading the one kind of pickle that CIFAR-10 is published in, and nothing else."""

from __future__ import annotations

import io
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unskew.errors import UserError

NUMBERS = re.compile(r"[iu][1248]", re.ASCII)
"""What the arrays may hold, in NumPy's letters."""
UNWANTED = (
    pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST, pickle.OBJ,
    pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
    pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET,
)  # fmt: skip
"""Instructions that no batch needs: they make objects, take what memory a file asks for, or look
through all that is in something, which in a list that holds itself twice over has no end."""


class _NumberType:
    """What a pickle says of an array's numbers. No type of NumPy's own: those take over whatever
    state a file gives them, which can be one that makes bytes of the file addresses in memory.
    """

    def __init__(self, code: bytes | str, *_: object) -> None:
        self.code = code.decode("ascii") if isinstance(code, bytes) else code
        if not NUMBERS.fullmatch(self.code):
            raise pickle.UnpicklingError(f"an array of {self.code!r}, which are no whole numbers")
        self.order = "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        self.order = order.decode("ascii") if isinstance(order, bytes) else order
        if not isinstance(self.order, str) or self.order not in ("|", "<", ">", "="):
            raise pickle.UnpicklingError("numbers in an order that there is not")


class _Array:
    """An array in the making: a file's bytes, which are looked at as numbers when it is whole."""

    numbers: NDArray[np.integer[Any]] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, content = state
        size = int(kind.code[1])
        if not isinstance(kind, _NumberType) or not isinstance(content, bytes):
            raise pickle.UnpicklingError("an array of something else than numbers")
        if not all(type(length) is int and length >= 0 for length in shape):
            raise pickle.UnpicklingError("an array of no shape")
        if math.prod(shape) * size != len(content):
            raise pickle.UnpicklingError(f"{len(content)} bytes for an array of {shape}")
        numbers = np.frombuffer(content, dtype=np.dtype(kind.order + kind.code))
        self.numbers = numbers.reshape(shape, order="F" if by_columns else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _encode(text: str, *_: object) -> bytes:
    """What Python 3 writes bytes as in the protocols that know none."""
    if not isinstance(text, str):  # to write a list down is to look through all that is in it
        raise pickle.UnpicklingError("bytes that are no text")
    return text.encode("latin1")


# Only what rebuilds a plain array: no other name is ever looked up, so no other code can run.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _NumberType,
    ("_codecs", "encode"): _encode,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
}


def _with_plain_keys(do: Callable[[Any], None], first: int) -> Callable[[Any], None]:
    """An instruction that fills a dictionary, if its keys are names.

    Any other is looked through to be hashed: a tuple that holds itself twice over without end.

    Parameters
    ----------
    first: where on the unpickler's stack the first key lies, every other thing being one.
    """

    def checked(unpickler: Any) -> None:
        if not all(isinstance(key, str | bytes) for key in unpickler.stack[first::2]):
            raise pickle.UnpicklingError("a dictionary whose keys are no names")
        do(unpickler)

    return checked


class _PlainUnpickler(pickle._Unpickler):
    """The one that is written in Python, which a file cannot make to read or write beyond what is
    there; its instructions can be taken away.
    """

    dispatch = {
        code: do for code, do in pickle._Unpickler.dispatch.items() if bytes([code]) not in UNWANTED
    } | {
        code[0]: _with_plain_keys(pickle._Unpickler.dispatch[code[0]], first)
        for code, first in ((pickle.SETITEM, -2), (pickle.SETITEMS, 0), (pickle.DICT, 0))
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None


def read_plain_pickle(data: bytes, where: str) -> dict[bytes, Any]:
    """A pickled dictionary of plain values and plain arrays of whole numbers.

    Parameters
    ----------
    data: the pickle.
    where: its file, for messages.

    Raises
    ------
    UserError: it is damaged, or holds or calls anything else.
    """
    try:
        value = _PlainUnpickler(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # a hostile or damaged pickle can raise anything
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{where} is damaged or not what it should be ({told}): fetch the archive again"
        ) from None
    if not isinstance(value, dict):
        raise UserError(f"{where} holds no dictionary: fetch the archive again")
    return {key: item.numbers if isinstance(item, _Array) else item for key, item in value.items()}
