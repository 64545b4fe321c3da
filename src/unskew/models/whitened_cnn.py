"""The network of the public speed-runs on CIFAR-10."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.kernels.convolution import convolve
from unskew.kernels.pool_norm_gelu import LANES, pool_norm_gelu
from unskew.models.base import Network, check_width
from unskew.models.whitening import Whitening


class WhitenedCNN(Network):
    """VGG-like and shallow, made to learn fast: fixed patch-whitening filters, then three groups
    of two 3×3 convolutions with a 2×2 max-pool, BatchNorm and GELU, a global max-pool, a linear
    classifier.

    The shape is airbench94's (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU"),
    which descends from the residual network of Page 2019 ("How to train your ResNet") by way of
    hlb-CIFAR10 (tysam-code 2023). As there, convolutions start as the identity on their first
    channels, so that the untrained network passes images on, and BatchNorm has a bias but no
    scale. Jordan divides the logits by the number of features; here the classifier starts that
    much smaller instead, which trains the same where its learning rate is smaller by that
    number's square.

    Patches are cut without padding, so sides run 31, 15, 7, 3 for images of 32 pixels and not
    32, 16, 8, 4: four fifths of the products.

    Parameters
    ----------
    num_classes: K, outputs.
    image_size: height and width in pixels, a multiple of 8.
    width: channels of the first group; the other two have four times as many.

    Shapes
    ------
    images float (B, 3, H, W), channels last for speed -> logits (B, K).

    Raises
    ------
    ValueError: `image_size` is not a positive multiple of 8, or `width` not positive.
    """

    side_by_side = True
    kernels = ("convolution", "convolution_gradient", "pool_norm_gelu")

    def __init__(self, num_classes: int, image_size: int = 32, *, width: int = 64) -> None:
        super().__init__()
        if image_size < 8 or image_size % 8:
            raise ValueError(
                f"whitened_cnn halves images three times: {image_size} is no multiple of 8"
            )
        check_width("width", width)
        self._width = width
        self.stem = Whitening(3, patch=2)
        incoming, side = self.stem.out_channels, image_size - self.stem.patch + 1
        groups = []
        for outgoing in (width, 4 * width, 4 * width):
            # Of images of 8 pixels nothing is left to pool in the last group.
            groups.append(Group(incoming, outgoing, pool=side > 1))
            incoming, side = outgoing, max(side // 2, 1)
        self.groups = nn.Sequential(*groups)
        self.num_features = incoming
        self.classifier = SmallLinear(incoming, num_classes)

    def unfused(self) -> str:
        if 4 * self._width % LANES == 0:  # two groups of three have so many channels
            return ""
        return f"the kernels want a multiple of {LANES} channels"

    def features(self, images: Tensor) -> Tensor:
        activations = F.gelu(self.stem(images))
        for group in self.groups:
            activations = group(activations, self.fused)
        return F.max_pool2d(activations, activations.shape[2:]).flatten(1)


class Group(nn.Module):
    """Convolution, pool, norm, GELU, convolution, norm, GELU.

    Pooling before the first norm spares three quarters of its work and of the GELU's.
    """

    def __init__(self, incoming: int, outgoing: int, pool: bool) -> None:
        super().__init__()
        self.conv1 = near_identity(incoming, outgoing)
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.norm1 = UnscaledBatchNorm(outgoing)
        self.conv2 = near_identity(outgoing, outgoing)
        self.norm2 = UnscaledBatchNorm(outgoing)

    def forward(self, images: Tensor, fused: bool = False) -> Tensor:
        if fused:
            pool = isinstance(self.pool, nn.MaxPool2d)
            images = pool_norm_gelu(convolve(images, self.conv1), self.norm1, pool)
            return pool_norm_gelu(convolve(images, self.conv2), self.norm2)
        images = F.gelu(self.norm1(self.pool(self.conv1(images))))
        return F.gelu(self.norm2(self.conv2(images)))


class UnscaledBatchNorm(nn.BatchNorm2d):
    """BatchNorm with a bias and without a scale, and with a short memory.

    Its running statistics take 0.4 from each batch: so fast a training has no others.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=0.4)
        ones = self.weight.detach()
        del self.weight
        self.register_buffer("weight", ones, persistent=False)

    def _load_from_state_dict(self, *arguments: Any, **options: Any) -> None:
        super()._load_from_state_dict(*arguments, **options)
        with torch.no_grad():  # of a network made without memory, where nothing has filled it
            self.weight.fill_(1.0)


class SmallLinear(nn.Linear):
    """A classifier without bias whose weights start with standard deviation 1 / D."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__(num_features, num_classes, bias=False)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=1 / self.in_features)


def near_identity(incoming: int, outgoing: int) -> nn.Conv2d:
    """A 3×3 convolution whose first outputs start as its inputs; PyTorch's default for the rest."""
    convolution = nn.Conv2d(incoming, outgoing, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight.data[:incoming])
    return convolution
