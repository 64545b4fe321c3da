"""A function of R networks' tensors, called from a network that knows only its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def over_runs(function: Callable[..., Tensor], *arguments: Any) -> Tensor:
    """Call `function` on all runs' tensors from inside `torch.func.vmap` over the runs.

    Parameters
    ----------
    function: takes tensors (R, ...) where one network has (...), other arguments as they are, and
        returns one tensor (R, ...). It is differentiated as any other code.
    """
    result: Tensor = _OverRuns.apply(function, *arguments)
    return result


class _OverRuns(torch.autograd.Function):
    """The only way to give `torch.func.vmap` a rule for code in Python."""

    @staticmethod
    def forward(function: Callable[..., Tensor], *arguments: Any) -> Tensor:
        raise RuntimeError("layers of many networks are called under torch.func.vmap only")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Nothing is kept: `vmap` below calls code that keeps what it needs."""

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], function: Callable[..., Tensor], *arguments: Any
    ) -> tuple[Tensor, int]:
        """What is the same for all runs is repeated, without a copy."""
        joint = [
            argument
            if not isinstance(argument, Tensor)
            else argument.expand(info.batch_size, *argument.shape)
            if dim is None
            else argument.movedim(dim, 0)
            for argument, dim in zip(arguments, in_dims[1:], strict=True)
        ]
        return function(*joint), 0
