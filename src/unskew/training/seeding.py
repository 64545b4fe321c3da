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


class OwnGenerators:
    """PyTorch's generators as one of several runs would find them by itself, whoever else draws.

    Parameters
    ----------
    seed: where they begin.
    device: whose generator it is besides the processor's.
    """

    def __init__(self, seed: int, device: str) -> None:
        self._gpus = gpus(device)
        with torch.random.fork_rng(self._gpus):
            seed_generators(seed, device)
            self._states = self._current()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Inside, they go on from where they were left; the caller's are left as they were."""
        with torch.random.fork_rng(self._gpus):
            own, *on_gpus = self._states
            torch.default_generator.set_state(own)
            for index, state in zip(self._gpus, on_gpus, strict=True):
                torch.cuda.set_rng_state(state, index)
            yield
            self._states = self._current()

    def _current(self) -> list[torch.Tensor]:
        on_gpus = [torch.cuda.get_rng_state(index) for index in self._gpus]
        return [torch.default_generator.get_state(), *on_gpus]


def seed_generators(seed: int, device: str) -> None:
    """Put the processor's generator and the device's at a seed, and no other GPU's."""
    torch.default_generator.manual_seed(seed)
    for index in gpus(device):
        torch.cuda.default_generators[index].manual_seed(seed)
