"""The smallest kernel, to see whether any can be compiled and launched."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


def tried(device: torch.device) -> bool:
    """Whether a kernel does what it says; raises whatever Triton raises where it cannot be made."""
    made = torch.zeros(16, device=device)
    _one_more[(1,)](made, COUNT=16)
    return bool((made == 1).all())


@triton.jit
def _one_more(values, COUNT: tl.constexpr):
    place = values + tl.arange(0, COUNT)
    tl.store(place, tl.load(place) + 1.0)
