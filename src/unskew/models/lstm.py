"""The coursework's recurrent network: an image read as a sequence of rows."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from unskew.kernels.lstm import UNITS, lstm
from unskew.models.base import Network, check_width


class LSTM(Network):
    """A two-layer LSTM over the rows of an image, then two linear layers joined by BatchNorm
    and ReLU.

    An image (3, H, W) becomes H steps of 3·W values: the row's three channels. The last step's
    output of the second layer, which has seen every row, goes on.

    Parameters
    ----------
    num_classes: K, outputs.
    image_size: height and width in pixels.
    hidden_size: of each LSTM layer.
    hidden: width of the first linear layer, which the report leaves open.

    Shapes
    ------
    images float (B, 3, H, W) -> logits (B, K).

    Raises
    ------
    ValueError: a width is not positive.
    """

    side_by_side: ClassVar[bool] = True
    kernels: ClassVar[tuple[str, ...]] = ("lstm", "lstm_gradient")

    def __init__(
        self,
        num_classes: int,
        image_size: int = 32,
        *,
        hidden_size: int = 256,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        check_width("hidden", hidden)
        check_width("hidden_size", hidden_size)
        self.recurrent = nn.LSTM(3 * image_size, hidden_size, num_layers=2, batch_first=True)
        self.hidden = nn.Sequential(
            nn.Linear(hidden_size, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
        )
        self.num_features = hidden
        self.classifier = nn.Linear(hidden, num_classes)

    def unfused(self) -> str:
        if self.recurrent.hidden_size % UNITS == 0:
            return ""
        return f"the kernel wants a multiple of {UNITS} units"

    def features(self, images: Tensor) -> Tensor:
        sequence = rows(images)
        run = lstm if self.fused else unfused_lstm
        outputs = run(sequence, self.recurrent)
        features: Tensor = self.hidden(outputs[:, -1])
        return features


def unfused_lstm(sequences: Tensor, layers: nn.LSTM) -> Tensor:
    """`layers(sequences)[0]` by PyTorch.

    Under autocast to bfloat16 its LSTM fails on an x86 processor without AVX-512; there the layers
    multiply in float32.
    """
    if _lacks_bfloat16(sequences):
        with torch.autocast("cpu", enabled=False):
            exact: Tensor = layers(sequences.float())[0]
            return exact
    outputs: Tensor = layers(sequences)[0]
    return outputs


def _lacks_bfloat16(sequences: Tensor) -> bool:
    if sequences.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    capabilities = torch.cpu.get_capabilities()
    return capabilities.get("architecture") == "x86_64" and not capabilities.get("avx512_bw")


def rows(images: Tensor) -> Tensor:
    """Images (B, C, H, W) as sequences of rows, (B, H, C·W)."""
    return images.transpose(1, 2).flatten(2)
