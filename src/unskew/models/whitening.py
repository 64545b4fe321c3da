"""A first layer whose filters are the principal directions of image patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 5e-4
"""Added to the patches' variances before their root is divided by, in units of normalised pixels
squared: below it a direction is noise and is not blown up. The value is airbench94's."""


class Whitening(nn.Conv2d):
    """A convolution with fixed filters that make the components of a patch uncorrelated and of
    variance 1, each once as it is and once negated, and with a bias that trains.

    Fixed patch-whitening filters are from Page 2019 ("How to train your ResNet", part 8); the
    negatives and the patch of 2×2 from hlb-CIFAR10 (tysam-code 2023); the bias from airbench94
    (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU").

    The filters are a buffer: no optimiser sees them, and they are saved with the weights. Until
    `whiten` is called they are the patch's pixels themselves.

    Parameters
    ----------
    channels: of the images, C.
    patch: height and width k of a patch.

    Shapes
    ------
    images float (B, C, H, W) -> float (B, 2·C·k·k, H - k + 1, W - k + 1).
    """

    def __init__(self, channels: int, patch: int) -> None:
        directions = channels * patch * patch
        super().__init__(channels, 2 * directions, patch, bias=True)
        del self.weight
        self.register_buffer("weight", torch.empty(2 * directions, channels, patch, patch))
        assert self.bias is not None
        nn.init.zeros_(self.bias)
        self._set(torch.eye(directions))

    @property
    def patch(self) -> int:
        """Height and width of a patch, in pixels."""
        return self.kernel_size[0]

    def whiten(self, second_moment: Tensor) -> None:
        """Take the filters from the patches of the images that will be trained on.

        Parameters
        ----------
        second_moment: E[p·pᵀ] of patches p of normalised images, flattened as (C, k, k), float
            (C·k·k, C·k·k). With E·diag(v)·Eᵀ its eigenvectors and eigenvalues, filter i is
            E[:, i] / sqrt(v[i] + EPSILON).
        """
        values, vectors = torch.linalg.eigh(second_moment.double().cpu())
        self._set((vectors / (values + EPSILON).sqrt()).T)

    @torch.no_grad()
    def _set(self, directions: Tensor) -> None:
        filters = directions.reshape(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([filters, -filters]))


def whitening_of(network: nn.Module) -> Whitening | None:
    """The network's whitening layer, or None if it has none."""
    return next((layer for layer in network.modules() if isinstance(layer, Whitening)), None)
