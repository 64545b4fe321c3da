"""A recording of a step without a GPU: PyTorch's operators, and nothing of the Python between."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from unskew.training.captured import PLAIN_CALLS


class Tape(TorchDispatchMode):
    """Records the operators that run within it, those of the backward pass among them.

    As in a CUDA graph, tensors that were there before stay what they are and numbers stay what
    they were. Unlike there, the first run of it is the recording, and asking for a tensor's value
    is not refused: some operators do so on a CPU alone.
    """

    def __init__(self):
        super().__init__()
        self._calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        returned = func(*args, **(kwargs or {}))
        self._calls.append((func, args, kwargs or {}, returned))
        return returned

    @torch.no_grad()
    def replay(self, inputs, given, outputs):
        """Run all again with `given` in the place of `inputs`; what has become of `outputs`."""
        now = {id(old): new for old, new in zip(inputs, given, strict=True)}

        def current(part):
            return now.get(id(part), part) if isinstance(part, Tensor) else part

        for func, args, kwargs, returned in self._calls:
            again = func(*tree_map(current, args), **tree_map(current, kwargs))
            for old, new in zip(tree_leaves(returned), tree_leaves(again), strict=True):
                now[id(old)] = new
        return tuple(map(current, outputs))


class Taped:
    """Stands in for `Captured`: its fourth call, which runs, is the recording of those after."""

    def __init__(self, function, device):
        self._function, self._calls, self.replays, self.reason = function, 0, 0, ""

    def __call__(self, *inputs):
        self._calls += 1
        if self._calls <= PLAIN_CALLS:
            return self._function(*inputs)
        if self._calls == PLAIN_CALLS + 1:
            with Tape() as self._tape:
                self._inputs, self._outputs = inputs, self._function(*inputs)
            return self._outputs
        self.replays += 1
        return self._tape.replay(self._inputs, inputs, self._outputs)
