"""Fixtures of the kernels' tests."""

import pytest
import torch

from unskew.kernels.formats import source
from unskew.kernels.library import load


@pytest.fixture
def threads(request):
    """As many threads as the test is parametrised with, indirectly."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=[torch.bfloat16, torch.float32], ids=["bfloat16", "float32"])
def dtype(request):
    """Each number format that the module's `KERNELS` can be built for on this machine."""
    for name in request.module.KERNELS:
        if reason := load(source(name, request.param)).reason:
            pytest.skip(f"no kernels: {reason}")
    return request.param
