"""Kernels in matrix tiles pass their tests where the processor has none and AVX-512 stands in."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def has(feature):
    return bool(torch.cpu.get_capabilities().get(feature))


@pytest.mark.skipif(has("amx_bf16"), reason="the processor has tiles: all tests use them")
@pytest.mark.skipif(not has("avx512_bf16"), reason="what surrounds the tiles is AVX-512 BF16")
@pytest.mark.skipif(sys.platform != "linux", reason="as the kernels")
@pytest.mark.parametrize("kernels", ["lstm", pytest.param("convolution", marks=pytest.mark.slow)])
def test_tiles_that_are_stood_in_for(kernels):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.kernels.emulated", "-p", "no:cacheprovider",
         "-rs", "-k", "tiles", str(HERE / f"test_{kernels}.py")],
        capture_output=True, text=True, cwd=HERE.parents[1], timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "no matrix tiles" not in done.stdout
