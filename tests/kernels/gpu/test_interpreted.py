"""Without a GPU, Triton runs its kernels as NumPy code, and what they compute is tested so."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")


@pytest.mark.parametrize("which", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_kernels_as_numpy_code(which):
    """In a process of its own: Triton asks once, when its kernels are defined."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        which,
        "tests/kernels/gpu/test_triton.py",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"TRITON_INTERPRET": "1"}
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout or "%]" in done.stdout
