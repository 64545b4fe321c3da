import importlib.util
import sys
import types

import pytest
import torch

from unskew.kernels.gpu import triton_at_hand

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def untried(monkeypatch):
    """As in a process that has not asked yet, and as if a CPU were a GPU."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.delenv("UNSKEW_KERNELS", raising=False)
    triton_at_hand._untried.cache_clear()
    yield
    triton_at_hand._untried.cache_clear()


def trial(monkeypatch, tried):
    """A trial that goes as told, instead of one by Triton."""
    module = types.ModuleType("trial")
    module.tried = tried
    monkeypatch.setitem(sys.modules, "unskew.kernels.gpu.in_triton.trial", module)
    monkeypatch.setattr(triton_at_hand, "find_spec", lambda name: object())


def test_used_where_a_kernel_could_be_made(monkeypatch):
    trial(monkeypatch, lambda device: True)
    assert triton_at_hand.why_not(CPU) == ""
    assert triton_at_hand.takes(torch.zeros(1))
    with triton_at_hand.wanting(False):
        assert not triton_at_hand.takes(torch.zeros(1))
    assert triton_at_hand.takes(torch.zeros(1))


def test_no_compiler_is_told(monkeypatch):
    def fails(device):
        raise RuntimeError("Failed to find C compiler.\nPlease specify one.")

    trial(monkeypatch, fails)
    assert triton_at_hand.why_not(CPU) == "Triton cannot compile: Failed to find C compiler."
    assert not triton_at_hand.takes(torch.zeros(1))


def test_wrong_results_are_not_used(monkeypatch):
    trial(monkeypatch, lambda device: False)
    assert "something else" in triton_at_hand.why_not(CPU)


def test_without_triton(monkeypatch):
    monkeypatch.setattr(triton_at_hand, "find_spec", lambda name: None)
    assert triton_at_hand.why_not(CPU) == "Triton is not installed"


def test_switched_off_or_on_a_cpu(monkeypatch):
    monkeypatch.setenv("UNSKEW_KERNELS", "off")
    assert triton_at_hand.why_not(CPU) == "UNSKEW_KERNELS is off"
    monkeypatch.delenv("UNSKEW_KERNELS")
    monkeypatch.delenv("TRITON_INTERPRET")
    assert triton_at_hand.why_not(CPU) == "no GPU"


@pytest.mark.gpu
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
def test_a_gpu_has_them(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET")
    assert triton_at_hand.why_not(torch.device("cuda")) == ""
