"""Kernels in matrix tiles on a processor that has none, which AVX-512 stands in for.

Named as a plugin of pytest (`-p tests.kernels.emulated`), the tests that would be skipped here run.
"""

from pathlib import Path

import torch

from unskew.kernels import library

_capabilities = torch.cpu.get_capabilities


def pytest_configure() -> None:
    stand_in = Path(__file__).with_name("tiles.h")
    library.FLAGS += ("-D__AMX_BF16__", "-include", str(stand_in))
    torch.cpu.get_capabilities = lambda: _capabilities() | {"amx_bf16": True}
