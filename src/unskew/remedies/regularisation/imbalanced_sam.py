"""Sharpness-aware minimisation for the rare classes alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.remedies.base import Backward, Facts, Remedy
from unskew.remedies.options import option
from unskew.remedies.regularisation.perturbation import climbed, optimised, statistics_held


@dataclass(frozen=True)
class ImbalancedSAM(Remedy):
    """SAM on the loss of the rare classes, a plain step on the loss of the others (ImbSAM).

    L = L_head + L_tail, ε = ρ·∇L_tail(w)/‖∇L_tail(w)‖₂, and the step follows
    ∇L_head(w) + ∇L_tail(w + ε) (Zhou et al. 2023). A class is tail if it has
    fewer than η images; either loss is divided by the whole batch.

    Costs three passes a step. Public code feeds the third pass the whole batch in training mode
    and so updates BatchNorm's running statistics at w + ε too; here only the first pass does.

    Attributes
    ----------
    rho: ρ, the radius.
    eta: η; 0 takes the mean of the classes that have images, so that those below are the tail. The
        public code has 20, under which a less skewed set has no tail at all. Even classes have
        none either: the step is then a plain one.
    """

    name = "imbalanced_sam"
    splits_loss = True

    rho: float = option(0.05, above=0)
    eta: int = option(0, at_least=0)

    def check(self, facts: Facts) -> None:
        smallest = int(facts.counts[facts.counts > 0].min())
        if 0 < self.eta <= smallest:
            raise UserError(
                f"remedy {self.name!r}: eta = {self.eta}, but no class has fewer than {self.eta} "
                f"training images (the smallest has {smallest}): choose more than {smallest}, or "
                "0 for all classes below the mean"
            )

    def idle(self, facts: Facts) -> str:
        if self._tail(facts).any():
            return ""
        return f"remedy {self.name!r} has taken plain steps: no class is smaller than their mean"

    def _tail(self, facts: Facts) -> Tensor:
        limit = self.eta or facts.counts[facts.counts > 0].mean()
        return torch.from_numpy((facts.counts < limit) & (facts.counts > 0))

    def update(
        self, backward: Backward, optimizer: torch.optim.Optimizer, network: nn.Module, facts: Facts
    ) -> Tensor:
        weights = next(network.parameters())
        tail = facts.constant(self, lambda: self._tail(facts)).beside(weights)
        loss = backward(~tail)
        head = {p: p.grad.clone() for p in optimised(optimizer) if p.grad is not None}
        with statistics_held(network):
            loss = loss + backward(tail)
            with climbed(optimised(optimizer), self.rho):
                backward(tail)
        for parameter, slope in head.items():
            if parameter.grad is None:
                parameter.grad = slope
            else:
                parameter.grad.add_(slope)
        optimizer.step()
        return loss
