"""Fixtures of the kernels' tests."""

import pytest
import torch

from unskew.kernels.formats import IN_TILES, in_tiles, source
from unskew.kernels.library import load

TILES = "tiles"


@pytest.fixture
def threads(request):
    """As many threads as the test is parametrised with, indirectly."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def pytest_generate_tests(metafunc):
    """Each number format, and bfloat16 once more in matrix tiles where the module's are there."""
    if "dtype" in metafunc.fixturenames and hasattr(metafunc.module, "KERNELS"):
        ways = ["bfloat16", "float32"]
        if any(name in family for family in IN_TILES for name in metafunc.module.KERNELS):
            ways.insert(0, TILES)
        metafunc.parametrize("dtype", ways, indirect=True, scope="module")


@pytest.fixture(scope="module")
def dtype(request):
    """A number format that the module's `KERNELS` can be built for on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        found = torch.float32 if request.param == "float32" else torch.bfloat16
        if request.param == "bfloat16":
            patch.setenv("UNSKEW_KERNELS", "no-tiles")
        for name in request.module.KERNELS:
            if request.param == TILES and not in_tiles(name, found):
                pytest.skip("no matrix tiles")
            if reason := load(source(name, found)).reason:
                pytest.skip(f"no kernels: {reason}")
        yield found
