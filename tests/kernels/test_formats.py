"""Which file of kernels a machine takes."""

import pytest
import torch

from unskew.kernels import formats
from unskew.kernels.library import Library


@pytest.fixture
def machine(monkeypatch):
    """A processor with these capabilities, on which only these files can be built."""

    def pretend(capabilities, built):
        def load_all(names):
            asked.extend(names)
            return [Library(object() if name in built else None) for name in names]

        asked = []
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        monkeypatch.setattr(formats, "load_all", load_all)
        formats._family_in_tiles.cache_clear()
        return asked

    monkeypatch.delenv("UNSKEW_KERNELS", raising=False)
    yield pretend
    formats._family_in_tiles.cache_clear()


def test_tiles_are_taken_where_the_processor_has_them(machine, monkeypatch):
    machine({"amx_bf16": True}, {"amx/lstm", "amx/lstm_gradient"})
    assert formats.source("lstm", torch.bfloat16) == "amx/lstm"
    assert formats.source("lstm", torch.float32) == "float32/lstm"
    assert formats.source("norm_relu_pool", torch.bfloat16) == "bfloat16/norm_relu_pool"
    monkeypatch.setenv("UNSKEW_KERNELS", "no-tiles")
    assert formats.source("lstm", torch.bfloat16) == "bfloat16/lstm"


def test_what_belongs_together_is_in_tiles_together_or_not_at_all(machine):
    machine({"amx_bf16": True}, {"amx/convolution", "amx/lstm", "amx/lstm_gradient"})
    assert formats.source("convolution", torch.bfloat16) == "bfloat16/convolution"
    assert formats.source("convolution_gradient", torch.bfloat16) == "bfloat16/convolution_gradient"
    assert formats.in_tiles("lstm_gradient", torch.bfloat16)


def test_where_there_are_none_nothing_is_built_to_find_that_out(machine):
    asked = machine({}, set())
    assert formats.source("lstm", torch.bfloat16) == "bfloat16/lstm"
    assert asked == []
