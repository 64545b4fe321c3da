"""Freed memory is kept: the same large tensors again touch no fresh pages."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
from unskew.kernels.memory import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    print(-1); sys.exit()
import torch
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): torch.ones(12 << 20)
before = faults()
for _ in range(20): torch.ones(12 << 20)
print(faults() - before)
"""


def test_no_fresh_pages():
    """Of 48 MiB: up to 32 glibc may keep a block by itself, as the heap happens to lie."""
    library, version = platform.libc_ver()
    if library == "glibc" and tuple(map(int, version.split("."))) < (2, 35):
        pytest.skip("before 2.35 glibc takes no threshold that is as large")

    def faults(how):
        done = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True)
        return int(done.stdout)

    kept = faults("keep")
    if kept < 0:
        pytest.skip("not glibc")
    assert faults("leave") > 10 * max(kept, 1)
