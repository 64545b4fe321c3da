"""Whole networks with the package's kernels, against themselves without and in float32."""

import copy

import pytest
import torch
import torch.nn.functional as F

from unskew.models.registry import build
from unskew.training.engine import FUSED, use_kernels

IMAGES, CLASSES = 24, 10


def pass_through(network, images, labels, precision):
    """Logits and gradients of all parameters, in training mode."""
    network = copy.deepcopy(network).train()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        logits = network(images)
    F.cross_entropy(logits.float(), labels).backward()
    gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return logits.detach().float(), torch.cat(gradients)


def distance(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("name", ["cnn", "lstm", "resnet32", "whitened_cnn"])
def test_kernels_are_as_near_to_float32_as_pytorchs_bfloat16(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(name, CLASSES, 32).to(memory_format=torch.channels_last)
        images = torch.randn(IMAGES, 3, 32, 32).to(memory_format=torch.channels_last)
        labels = torch.randint(CLASSES, (IMAGES,))
    exact = pass_through(network, images, labels, "float32")
    plain = pass_through(network, images, labels, "bfloat16")
    if use_kernels(network, "cpu", torch.bfloat16) != FUSED:
        pytest.skip("no kernels on this machine")
    fused = pass_through(network, images, labels, "bfloat16")
    assert not torch.equal(fused[0], plain[0]), "the kernels were not used"
    for ours, theirs, wanted in zip(fused, plain, exact, strict=True):
        assert distance(ours, wanted) < 2 * distance(theirs, wanted)
