"""Reading the one kind of pickle that CIFAR-10 is published in, and nothing else."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from unskew.errors import UserError

# Only what rebuilds a plain array: no other name is ever looked up, so no other code can run.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
}


def _reconstruct(kind: type, shape: tuple[int, ...], typecode: bytes) -> np.ndarray[Any, Any]:
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of type {kind}")
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ALLOWED[_module, "_reconstruct"] = _reconstruct


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it names an outside object")


def read_plain_pickle(data: bytes, where: str) -> dict[bytes, Any]:
    """A pickled dictionary of plain values and plain number arrays.

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
        raise UserError(
            f"{where} is damaged or not what it should be ({error}): fetch the archive again"
        ) from None
    if not isinstance(value, dict):
        raise UserError(f"{where} holds no dictionary: fetch the archive again")
    arrays = [item for item in value.values() if isinstance(item, np.ndarray)]
    if any(array.dtype.hasobject for array in arrays):
        raise UserError(f"{where} holds objects instead of numbers: fetch the archive again")
    return value
