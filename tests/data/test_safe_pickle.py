"""Pickles of strangers: plain arrays come out, and nothing else happens."""

import pickle
import sys

import numpy as np
import pytest

from unskew.data.safe_pickle import read_plain_pickle
from unskew.errors import UserError

PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 6)


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "array",
    [
        PIXELS,
        np.asfortranarray(PIXELS),
        np.arange(-5, 5, dtype=">i4"),
        np.arange(3, dtype=np.int64),
    ],
    ids=["bytes", "by columns", "big-endian", "wide"],
)
def test_plain_arrays_come_out_as_they_went_in(protocol, array):
    content = {b"data": array, b"labels": [1, 2], b"name": b"x", b"twice": array}
    found = read_plain_pickle(pickle.dumps(content, protocol), "f")
    np.testing.assert_array_equal(found[b"data"], array)
    assert found[b"data"].dtype == array.dtype
    np.testing.assert_array_equal(found[b"twice"], array)
    assert found[b"labels"] == [1, 2]


def doubled(empty: bytes, join: bytes, depth: int = 60) -> bytes:
    """Something that holds itself twice over, `depth` levels deep: 2^60 things to look through."""
    return empty + b"q\x00" + join * depth


LISTS = doubled(b"]", b"q\x01]h\x01ah\x01a")
TUPLES = doubled(b")", b"q\x01h\x01\x86")


@pytest.mark.parametrize(
    "body",
    [
        b"c_codecs\nencode\n" + LISTS + b"\x85R",
        b"}" + TUPLES + b"K\x01s",
        b"}(" + TUPLES + b"K\x01u",
        b"(" + TUPLES + b"K\x01d",
        b"\x8f(" + TUPLES + b"\x90",
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1\x89\x88tR(K\x03" + LISTS + b"NNNNNK\x00tb",
    ],
    ids=["text", "key", "keys", "dictionary", "set", "order"],
)  # fmt: skip
def test_what_holds_itself_over_and_over_is_not_looked_through(body):
    with pytest.raises(UserError, match="f is damaged or not what it should be"):
        read_plain_pickle(b"\x80\x04" + body + b".", "f")


def forged(content: bytes, size: int = 1) -> bytes:
    """An array of objects whose type says that it holds none: the bytes are taken for addresses."""

    def text(value):
        return b"T" + len(value).to_bytes(4, "little") + value

    def plain(value):
        return pickle.dumps(value, 2)[2:-1]

    kind = b"cnumpy\ndtype\n" + plain(("O8", False, True)) + b"R"
    kind += plain((3, "|", None, None, None, -1, -1, 0)) + b"b"
    array = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
    array += plain((0,)) + text(b"b") + b"tR"
    array += b"(K\x01" + plain((size,)) + kind + b"\x89" + text(content) + b"tb"
    return b"\x80\x02}" + text(b"data") + array


def test_a_forged_type_frees_nothing():
    """NumPy would take the state that sets the flags, and then let the file write to addresses."""
    victim = object()
    before = sys.getrefcount(victim)
    address = id(victim).to_bytes(8, "little")
    for rest in (b"s.", b"K\x00Ns" + b"s."):
        with pytest.raises(UserError, match=r"f is damaged .*'O8', which are no whole numbers"):
            read_plain_pickle(forged(address) + rest, "f")
    assert sys.getrefcount(victim) == before


@pytest.mark.parametrize("code", ["V8", "f8", "u3", "O", "u1,u1", "datetime64[s]"])
def test_only_whole_numbers_are_read(code):
    try:
        array = np.zeros(2, dtype=code)
    except TypeError:
        pytest.skip("NumPy knows no such type")
    with pytest.raises(UserError, match="fetch the archive again"):
        read_plain_pickle(pickle.dumps({b"data": array}, 2), "f")


@pytest.mark.parametrize(
    "instructions",
    [
        b"\x96" + (1 << 40).to_bytes(8, "little"),  # BYTEARRAY8 of a terabyte
        b"r" + (1 << 31).to_bytes(4, "little") + b"0}",  # LONG_BINPUT far beyond the memo
        b"ccollections\nOrderedDict\n)R",
        b"Pid\n",
        b"(i__main__\nX\n",
    ],
    ids=["bytes without end", "a memo without end", "a name", "an outside object", "an instance"],
)
def test_what_no_batch_needs_is_refused_or_harmless(instructions):
    try:
        found = read_plain_pickle(b"\x80\x02}" + instructions + b".", "f")
    except UserError:
        return
    assert found == {}


@pytest.mark.parametrize("shape", [(-1,), (2, 2), (10**12,), ("a",), None])
def test_a_shape_that_the_bytes_do_not_fill_is_damage(shape):
    class Forged:
        def __reduce__(self):
            rebuild, arguments, state = np.zeros(3, np.uint8).__reduce__()
            return rebuild, arguments, (state[0], shape, *state[2:])

    with pytest.raises(UserError, match="f is damaged"):
        read_plain_pickle(pickle.dumps({b"data": Forged()}, 2), "f")
