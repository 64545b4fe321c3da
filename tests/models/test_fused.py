"""A network with its kernels is the network without them, up to rounding."""

import copy

import pytest
import torch
import torch.nn.functional as F

from unskew.kernels.library import load
from unskew.models.registry import build, names, network_class

FUSED = [name for name in names() if network_class(name).kernels]


def distance(found, wanted):
    return float((found.double() - wanted.double()).norm() / wanted.double().norm())


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("training", [True, False])
def test_the_same_up_to_rounding(name, training):
    for kernel in network_class(name).kernels:
        if load(kernel).functions is None:
            pytest.skip(load(kernel).reason)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        exact = build(name, 4, 16).double().train(training)
        images = torch.randn(32, 3, 16, 16, dtype=torch.float64)
        labels = torch.randint(0, 4, (32,))
    plain = copy.deepcopy(exact).float().to(memory_format=torch.channels_last)
    fused = copy.deepcopy(plain)
    fused.fused = True

    def features(network, x):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=x.dtype != torch.float64):
            logits = network(x)
        F.cross_entropy(logits.double(), labels).backward()
        return [logits.detach()] + [p.grad for p in network.parameters() if p.dim() > 1]

    wanted = features(exact, images)
    theirs = features(plain, images.float())
    ours = features(fused, images.float())
    # bfloat16 itself is far from float64 on random weights. Winograd's convolutions round twice
    # more than the definition, which makes 1.7 times its error (kernels/convolution.py).
    assert not torch.equal(ours[0], theirs[0]), "the kernels were not used"
    for mine, peer, right in zip(ours, theirs, wanted, strict=True):
        assert mine.shape == right.shape
        assert distance(mine, right) < max(1.7 * distance(peer, right), 0.02)
    for mine, right in zip(fused.buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(mine.double(), right.double(), rtol=0.05, atol=0.05)
