"""The coursework's recurrent network: an image read as a sequence of rows."""

from __future__ import annotations

from typing import ClassVar

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

    kernels: ClassVar[tuple[str, ...]] = ("lstm",)

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
        layer = self.recurrent
        if layer.input_size % 2 == 0 and layer.hidden_size % UNITS == 0:
            return ""
        return f"the kernel wants rows of even length and a multiple of {UNITS} units"

    def features(self, images: Tensor) -> Tensor:
        sequence = rows(images)
        outputs = lstm(sequence, self.recurrent) if self.fused else self.recurrent(sequence)[0]
        features: Tensor = self.hidden(outputs[:, -1])
        return features


def rows(images: Tensor) -> Tensor:
    """Images (B, C, H, W) as sequences of rows, (B, H, C·W)."""
    return images.transpose(1, 2).flatten(2)
