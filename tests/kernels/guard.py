"""Every tensor of a kernel's call between two pages that may not be touched.

A kernel that reads or writes past the end of one, or before its start, ends the process. Named as
a plugin of pytest (`-p tests.kernels.guard`) it does so in every test that runs.
"""

import ctypes
import os

import pytest
import torch

from unskew.kernels import batch, convolution, lstm, norm_relu_pool, pool_norm_gelu
from unskew.kernels.call import call

CALLERS = (batch, convolution, lstm, norm_relu_pool, pool_norm_gelu)
SIDE = "UNSKEW_TEST_GUARD"
"""Environment variable: "end" puts a tensor's last byte next to the page, "start" its first."""
PAGE = os.sysconf("SC_PAGE_SIZE")
CLOSED, OPEN = 0, 3
PRIVATE_ANONYMOUS = 0x22  # on Linux

_system = ctypes.CDLL(None, use_errno=True)
_system.mmap.restype = ctypes.c_void_p
_system.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_system.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_system.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class Guarded:
    """A copy of a tensor's bytes with a closed page before and after it."""

    def __init__(self, tensor: torch.Tensor, side: str) -> None:
        self.original, self.size = tensor, tensor.numel() * tensor.element_size()
        room = max(1, -(-self.size // PAGE)) * PAGE
        self.mapped = room + 2 * PAGE
        self.base = _system.mmap(None, self.mapped, OPEN, PRIVATE_ANONYMOUS, -1, 0)
        assert self.base not in (None, ctypes.c_void_p(-1).value)
        first, last = self.base + PAGE, self.base + PAGE + room
        for page in (self.base, last):
            assert _system.mprotect(page, PAGE, CLOSED) == 0
        self.start = first if side == "start" else last - self.size
        ctypes.memmove(self.start, tensor.data_ptr(), self.size)
        self.tensor = tensor
        if self.size:
            held = (ctypes.c_char * self.size).from_address(self.start)
            self.tensor = torch.frombuffer(held, dtype=torch.uint8)

    def close(self) -> None:
        """The bytes go back to where they came from."""
        ctypes.memmove(self.original.data_ptr(), self.start, self.size)
        _system.munmap(self.base, self.mapped)


def guarded_call(library: str, function: str, *arguments: object) -> None:
    """`call`, with guarded copies of the tensors; one that is passed twice is copied once."""
    copies: dict[tuple[int, int], Guarded] = {}
    passed = []
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            key = argument.data_ptr(), argument.numel() * argument.element_size()
            if key not in copies:
                copies[key] = Guarded(argument, os.environ.get(SIDE, "end"))
            argument = copies[key].tensor
        passed.append(argument)
    call(library, function, *passed)
    for copy in copies.values():
        copy.close()


@pytest.fixture(autouse=True)
def guarded(monkeypatch):
    """Every kernel is called with guarded tensors."""
    for module in CALLERS:
        assert module.call is call
        monkeypatch.setattr(module, "call", guarded_call)
