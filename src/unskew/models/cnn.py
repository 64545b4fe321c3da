"""The coursework's convolutional network."""

from __future__ import annotations

from torch import Tensor, nn

from unskew.kernels.convolution import convolve
from unskew.kernels.norm_relu_pool import norm_relu_pool
from unskew.models.base import Network, check_width

# The report leaves the widths open but for "growing to 128" over six convolutions and three
# pools; doubling after each pool is the VGG habit (Simonyan & Zisserman 2015).
WIDTHS = (32, 32, 64, 64, 128, 128)


class CNN(Network):
    """VGG-like: six 3×3 convolutions, each with BatchNorm and ReLU, a 2×2 max-pool after every
    second one, then two linear layers joined by BatchNorm and ReLU.

    Parameters
    ----------
    num_classes: K, outputs.
    image_size: height and width in pixels, a multiple of 8; 32 gives the report's 128×4×4.
    hidden: width of the first linear layer, which the report leaves open.

    Shapes
    ------
    images float (B, 3, H, W), channels last for speed -> logits (B, K).

    Raises
    ------
    ValueError: `image_size` is not a positive multiple of 8, or `hidden` not positive.
    """

    side_by_side = True
    kernels = ("convolution", "convolution_gradient", "norm_relu_pool")

    def __init__(self, num_classes: int, image_size: int = 32, *, hidden: int = 256) -> None:
        super().__init__()
        if image_size < 8 or image_size % 8:
            raise ValueError(f"the cnn halves images three times: {image_size} is no multiple of 8")
        check_width("hidden", hidden)
        layers: list[nn.Module] = []
        incoming = 3
        for position, width in enumerate(WIDTHS):
            # BatchNorm subtracts the mean again, so a bias before it would do nothing.
            layers += [
                nn.Conv2d(incoming, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            if position % 2:
                layers.append(nn.MaxPool2d(2))
            incoming = width
        self.convolutions = nn.Sequential(*layers)
        side = image_size // 8
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(incoming * side * side, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
        )
        self.num_features = hidden
        self.classifier = nn.Linear(hidden, num_classes)

    def features(self, images: Tensor) -> Tensor:
        activations = self._fused(images) if self.fused else self.convolutions(images)
        features: Tensor = self.hidden(activations)
        return features

    def _fused(self, images: Tensor) -> Tensor:
        """`self.convolutions` with fewer products, what follows each done in one pass."""
        layers = list(self.convolutions)
        for position, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                norm = layers[position + 1]
                assert isinstance(norm, nn.BatchNorm2d)
                pool = isinstance(layers[min(position + 3, len(layers) - 1)], nn.MaxPool2d)
                images = norm_relu_pool(convolve(images, layer), norm, pool)
        return images
