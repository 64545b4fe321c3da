"""Muon: momentum, orthogonalised, for the filters of convolutions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""a, b, c of x ← a·x + b·x³ + c·x⁵, steep at 0 and near 1 from there (Jordan et al. 2024)."""

STEPS = 3
"""Of the iteration; airbench94's, where language models take 5."""


class Muon(torch.optim.Optimizer):
    """Muon for groups marked `orthogonal`, SGD with momentum for the others.

    M ← μ·M + G; the step is rate · orthogonalise(G + μ·M), or of M without Nesterov's look ahead
    (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"). A filter
    bank (out, in, h, w) is taken as the matrix (out, in·h·w). Before each step its Frobenius norm
    is set to sqrt(out), as airbench94's Muon variant does: the norm layer behind undoes any
    scale, and a step is then always the same share of the weights. So weight decay would not act
    on such a group, and is refused.

    The others are PyTorch's SGD (torch.optim.SGD, no dampening), weight decay included.

    Parameters
    ----------
    groups: each with `params` and, where they differ from the arguments, `lr`, `momentum`,
        `nesterov`, `weight_decay`, `orthogonal`.
    lr: a float, or a tensor of one number where steps are captured and replayed.

    Raises
    ------
    ValueError: an orthogonal group has weight decay or parameters that are no filters.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        lr: float | Tensor,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
            "orthogonal": False,
        }
        super().__init__(groups, defaults)
        for group in self.param_groups:
            if not group["orthogonal"]:
                continue
            if group["weight_decay"] or any(p.dim() < 2 for p in group["params"]):
                raise ValueError("Muon moves matrices and filters, without weight decay")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient. A closure is not supported."""
        assert closure is None
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters if p.grad is not None]
            if group["orthogonal"]:
                steps = _orthogonal_all(self._accelerated(group, parameters, gradients))
                _hold_norms(parameters)
            else:
                if group["weight_decay"]:
                    decays = torch._foreach_mul(parameters, group["weight_decay"])
                    gradients = list(torch._foreach_add(gradients, decays))
                steps = self._accelerated(group, parameters, gradients)
            torch._foreach_sub_(parameters, torch._foreach_mul(steps, group["lr"]))

    def _accelerated(
        self, group: dict[str, Any], parameters: list[Tensor], gradients: list[Tensor]
    ) -> list[Tensor]:
        """The gradients with momentum; what is remembered moves on."""
        for parameter in parameters:
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[p]["momentum_buffer"] for p in parameters]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        if not group["nesterov"]:
            return buffers
        ahead = torch._foreach_mul(buffers, group["momentum"])
        return list(torch._foreach_add(gradients, ahead))


def orthogonalise(matrices: Tensor) -> Tensor:
    """Matrices with the same singular vectors and singular values near 1.

    A Newton-Schulz iteration, products only; what was far below the largest singular value ends
    between 0 and 1. Computed in bfloat16 on a GPU and in float32 on a CPU.

    Parameters
    ----------
    matrices: float (n, rows, columns).

    Returns
    -------
    like `matrices`.
    """
    a, b, c = COEFFICIENTS
    wide = matrices.mT if matrices.shape[1] > matrices.shape[2] else matrices
    x = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    x = x.to(torch.bfloat16 if x.is_cuda else torch.float32)
    for _ in range(STEPS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    x = x.to(matrices.dtype)
    return x.mT if matrices.shape[1] > matrices.shape[2] else x


def _orthogonal_all(steps: list[Tensor]) -> list[Tensor]:
    """`orthogonalise` of each; those of one shape in one product."""
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for position, step in enumerate(steps):
        alike[tuple(step.shape)].append(position)
    found = list(steps)
    for positions in alike.values():
        matrices = torch.stack([steps[position].flatten(1) for position in positions])
        for position, matrix in zip(positions, orthogonalise(matrices), strict=True):
            found[position] = matrix.reshape(steps[position].shape)
    return found


def _hold_norms(parameters: list[Tensor]) -> None:
    for parameter in parameters:
        parameter.mul_(len(parameter) ** 0.5 / parameter.norm().clamp(min=1e-7))
