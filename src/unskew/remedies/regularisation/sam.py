"""Sharpness-aware minimisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unskew.remedies.base import Backward, Facts, Remedy
from unskew.remedies.options import option
from unskew.remedies.regularisation.perturbation import climbed, optimised, statistics_held


@dataclass(frozen=True)
class SAM(Remedy):
    """Steps along the gradient taken at the worst nearby weights, towards flat minima.

    ε = ρ·∇L(w)/‖∇L(w)‖₂, then w ← w - η·∇L(w + ε) (Foret et al. 2021, algorithm 1). Costs two
    passes a step. Weight decay acts at w and does not enter ε, as in most PyTorch code; the
    paper's loss contains it. BatchNorm's running statistics come from the first pass alone.

    Attributes
    ----------
    rho: ρ, the radius.
    """

    name = "sam"

    rho: float = option(0.05, above=0)

    def update(
        self, backward: Backward, optimizer: torch.optim.Optimizer, network: nn.Module, facts: Facts
    ) -> Tensor:
        loss = backward()
        with climbed(optimised(optimizer), self.rho), statistics_held(network):
            backward()
        optimizer.step()
        return loss
