"""Fixtures of the kernels' tests."""

import pytest
import torch


@pytest.fixture
def threads(request):
    """As many threads as the test is parametrised with, indirectly."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
