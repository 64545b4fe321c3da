"""A step recorded once on a GPU and replayed without Python between its kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

PLAIN_CALLS = 3
"""Before the recording, so that what allocates or chooses an algorithm at first use has done so."""


class Captured:
    """A function of tensors of fixed shapes, from its fourth call on replayed as a CUDA graph.

    The function may change tensors that it holds on to (weights, momenta), and each call changes
    them once. What it returns is overwritten by the next call. On a CPU, and where recording
    fails, it is called as it is.

    Parameters
    ----------
    function: must not wait for the device, nor depend on anything but tensors.
    device: where they live.

    Attributes
    ----------
    reason: why it is not replayed; empty where it is, or will be.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]], device: torch.device) -> None:
        self._function, self._device = function, device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._outputs: tuple[Tensor, ...] = ()
        self.reason = "" if device.type == "cuda" else "no GPU"

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What the function returns for `inputs`, of the same shapes each time."""
        self._calls += 1
        if self.reason or self._calls <= PLAIN_CALLS:
            return self._function(*inputs)
        if self._graph is None:
            self._record(inputs)
            if self._graph is None:
                return self._function(*inputs)
        for kept, given in zip(self._inputs, inputs, strict=True):
            kept.copy_(given, non_blocking=True)
        with torch.cuda.device(self._device):
            self._graph.replay()
        return self._outputs

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        """Record the function's kernels; recording runs none of them."""
        kept = tuple(tensor.clone() for tensor in inputs)
        graph = torch.cuda.CUDAGraph()
        before = torch.cuda.current_stream(self._device)
        try:
            stream = _stream(self._device)
            with torch.cuda.device(self._device), torch.cuda.graph(graph, stream=stream):
                outputs = self._function(*kept)
        except RuntimeError as error:
            torch.cuda.set_stream(before)  # a recording that fails leaves its own behind
            self.reason = f"not recorded: {str(error).splitlines()[0]}"
            return
        self._graph, self._inputs, self._outputs = graph, kept, outputs


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """Where all recordings of a device are made; PyTorch's own is of the current device.

    One for all of them, because cuBLAS keeps a workspace for every stream that it has been on.
    """
    return torch.cuda.Stream(device)
