"""PyTorch's generators, for what draws from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, PyTorch's global generator stands at a seed; the caller's is left as it was.

    PyTorch's initialisers know only that one. It is the processor's alone: `torch.manual_seed`
    would seed those of every GPU as well, which nobody puts back, and which draw other numbers. So
    what is drawn in here lies on the processor and is moved afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def gpus(device: str) -> list[int]:
    """Numbers of the GPUs whose generators a run on `device` may draw from."""
    found = torch.device(device)
    return [found.index or 0] if found.type == "cuda" else []


def seed_generators(seed: int, device: str) -> None:
    """Put the processor's generator and the device's at a seed, and no other GPU's."""
    torch.default_generator.manual_seed(seed)
    for index in gpus(device):
        torch.cuda.default_generators[index].manual_seed(seed)
