"""A step of stochastic gradient descent for many networks at once."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def descend(
    weights: Tensor,
    gradient: Tensor,
    momentum_buffer: Tensor | None,
    rate: Tensor,
    weight_decay: Tensor,
    momentum: float,
    nesterov: bool,
) -> None:
    """Move the weights, and the momentum with them, as `torch.optim.SGD` moves each network's.

    Parameters
    ----------
    weights, gradient, momentum_buffer: float (R, ...), one network after the other.
    rate, weight_decay: float (R,), of each.
    """
    shape = (-1, *(1,) * (weights.dim() - 1))
    gradient = torch.addcmul(gradient, weights, weight_decay.view(shape))
    if momentum_buffer is not None:
        momentum_buffer.mul_(momentum).add_(gradient)
        gradient = gradient + momentum * momentum_buffer if nesterov else momentum_buffer
    weights.addcmul_(gradient, -rate.view(shape))
