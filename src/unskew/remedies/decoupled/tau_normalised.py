"""τ-normalised classifier."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unskew.remedies.base import Facts, Remedy
from unskew.remedies.options import option
from unskew.remedies.regularisation.norms import classifier_weight, divisors


@dataclass(frozen=True)
class TauNormalised(Remedy):
    """After training, each class's weights are divided by a power of their length.

    w̃_k = w_k / ‖w_k‖^τ, and the bias is dropped (Kang et al. 2020, section 4.1): frequent classes
    have the longer weights, which favours them. Nothing is trained.

    Attributes
    ----------
    tau: τ, from 0 (only the bias is dropped) to 1 (unit length), to be chosen on validation; the
        public code tries up to 2.
    """

    name = "tau_normalised"
    acts_on_lengths = True
    corrects_prior = True

    tau: float = option(0.7, at_least=0, at_most=2)

    @torch.no_grad()
    def after_training(self, network: nn.Module, facts: Facts) -> None:
        classifier_weight(network).div_(divisors(network)[:, None] ** self.tau)
        bias = getattr(network.classifier, "bias", None)
        if bias is not None:
            bias.zero_()
