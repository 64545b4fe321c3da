"""Which format a machine multiplies in, whatever machine this is."""

import pytest
import torch

from unskew.training.precision import exact_convolutions, resolve


@pytest.mark.parametrize(
    ("capabilities", "wanted"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_asks_the_processor(monkeypatch, capabilities, wanted):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve("auto", "cpu") is wanted


@pytest.mark.parametrize(
    ("capability", "wanted"),
    [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_auto_asks_the_gpu_that_is_meant(monkeypatch, capability, wanted):
    asked = []
    monkeypatch.setattr(
        torch.cuda, "get_device_capability", lambda device: asked.append(device) or capability
    )
    assert resolve("auto", "cuda:1") is wanted
    assert asked == ["cuda:1"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_is_named_is_taken(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert resolve("float32", device) is torch.float32
    assert resolve("bfloat16", device) is torch.bfloat16


def test_a_gpu_is_asked_for_the_same_sums_every_time(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    exact_convolutions(torch.bfloat16)
    assert torch.backends.cudnn.deterministic


def test_float32_is_no_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    exact_convolutions(torch.bfloat16)
    assert torch.backends.cudnn.allow_tf32
    exact_convolutions(torch.float32)
    assert not torch.backends.cudnn.allow_tf32
