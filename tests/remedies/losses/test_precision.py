"""Losses of examples in the precisions that networks give."""

import warnings

import numpy as np
import pytest
import torch

from tests.remedies.losses.cases import COUNTS
from tests.remedies.scene import make_facts
from unskew.remedies.registry import make_remedy, names

FACTS = make_facts(COUNTS)
LOSSES = [name for name in names() if make_remedy(name).loss(FACTS, 0) is not None]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_loss_has_its_logits_precision_and_about_the_value_of_float64(name, dtype):
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 4))).to(dtype)
    labels = torch.tensor([0, 1, 2, 3, 0, 3])
    loss = make_remedy(name).loss(FACTS, 0)
    with warnings.catch_warnings():
        # PyTorch warns where it has to guess over which dimension a softmax runs.
        warnings.simplefilter("error")
        found = loss(logits, labels)
    assert found.dtype == dtype
    near = {"rtol": 1e-5, "atol": 1e-6} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.2}
    torch.testing.assert_close(found.double(), loss(logits.double(), labels), **near)
