"""Small tensors on their way to an accelerator."""

from __future__ import annotations

import torch
from torch import Tensor


class Constant:
    """A small tensor that every step needs where the step is computed: copied there once.

    A copy in every step would be recorded with it on a GPU, page-locked block and all, which not
    all versions of PyTorch keep until the recording is replayed.

    Parameters
    ----------
    tensor: on the CPU; not to be changed afterwards.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._copies: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, other: Tensor) -> Tensor:
        """On the device of `other` and of its dtype."""
        return self._copy(other, other.dtype)

    def beside(self, other: Tensor) -> Tensor:
        """On the device of `other`, of the dtype that it has."""
        return self._copy(other, self._tensor.dtype)

    def _copy(self, other: Tensor, dtype: torch.dtype) -> Tensor:
        place = other.device, dtype
        if place not in self._copies:
            # It outlives this call: made in inference mode, no later step could learn from it.
            with torch.inference_mode(False):
                self._copies[place] = moved(self._tensor, other, dtype)
        return self._copies[place]


def moved(tensor: Tensor, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The tensor on the device of `like`, without waiting for it.

    A plain copy from ordinary memory to a GPU waits until all work before it is done; one from
    page-locked memory takes its place in the queue like any other kernel. PyTorch keeps the
    page-locked block until the copy is done. On the CPU this is `Tensor.to`.

    Parameters
    ----------
    dtype: to convert to; None keeps the tensor's own.
    """
    wanted = tensor.dtype if dtype is None else dtype
    if like.is_cuda and not tensor.is_cuda:
        return tensor.to(wanted).pin_memory().to(like.device, non_blocking=True)
    return tensor.to(like.device, wanted)
