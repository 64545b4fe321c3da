"""Work of many networks at the same time on one GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

STREAMS = 16
"""More run no faster; each holds memory of its own."""

Made = TypeVar("Made")


def at_once(count: int, do: Callable[[int], Made], device: torch.device) -> list[Made]:
    """`[do(0), ..., do(count - 1)]`, which need not wait for one another on a GPU.

    What is enqueued before comes before all of them, and what is enqueued afterwards after. In
    the recording of a CUDA graph they become branches of it.
    """
    if device.type != "cuda" or count == 1:
        return [do(index) for index in range(count)]
    here = torch.cuda.current_stream(device)
    streams = _streams(device)[:count]
    for stream in streams:
        stream.wait_stream(here)
    made = []
    for index in range(count):
        with torch.cuda.stream(streams[index % len(streams)]):
            made.append(do(index))
    for stream in streams:
        here.wait_stream(stream)
    return made


@cache
def _streams(device: torch.device) -> list[torch.cuda.Stream]:
    return [torch.cuda.Stream(device) for _ in range(STREAMS)]
