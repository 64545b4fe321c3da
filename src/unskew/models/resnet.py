"""The residual network that the literature on imbalanced CIFAR uses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unskew.kernels.convolution import convolve
from unskew.kernels.norm_relu_pool import norm_relu_pool
from unskew.models.base import Network


class ResNet32(Network):
    """ResNet-32 for 32×32 images (He et al. 2016, section 4.2): a 3×3 convolution, three stages
    of five two-convolution blocks with 16, 32 and 64 channels, global average pooling.

    Shortcuts are parameter-free: subsampled and zero-padded where the shape changes ("option
    A"), as in the paper and in Cao et al. 2019. Weights start as Kaiming normal.

    Parameters
    ----------
    num_classes: K, outputs.
    image_size: height and width in pixels; any size from 4 up works.

    Shapes
    ------
    images float (B, 3, H, W) -> logits (B, K).
    """

    side_by_side = True
    kernels = ("convolution", "convolution_gradient", "norm_relu_pool")

    def __init__(self, num_classes: int, image_size: int = 32) -> None:
        super().__init__()
        if image_size < 4:
            raise ValueError(f"resnet32 halves images twice: {image_size} pixels are too few")
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        blocks: list[nn.Module] = []
        incoming = 16
        for width in (16, 32, 64):
            for _ in range(5):
                blocks.append(Block(incoming, width))
                incoming = width
        self.blocks = nn.Sequential(*blocks)
        self.num_features = incoming
        self.classifier = nn.Linear(incoming, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def features(self, images: Tensor) -> Tensor:
        if not self.fused:
            return torch.mean(self.blocks(self.stem(images)), dim=(2, 3))
        convolution, norm, _ = self.stem
        assert isinstance(norm, nn.BatchNorm2d)
        images = norm_relu_pool(convolution(images), norm)
        for block in self.blocks:
            assert isinstance(block, Block)
            images = block.fused(images)
        return torch.mean(images, dim=(2, 3))


class Block(nn.Module):
    """Two 3×3 convolutions around which the input is added; halves the image where it widens."""

    def __init__(self, incoming: int, width: int) -> None:
        super().__init__()
        self.stride = 1 if incoming == width else 2
        self.widening = width - incoming
        self.residual = nn.Sequential(
            nn.Conv2d(incoming, width, 3, stride=self.stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.residual(images) + self.shortcut(images))

    def fused(self, images: Tensor) -> Tensor:
        """`forward` with fewer products, what follows each done in one pass."""
        first, inner, _, second, outer = self.residual
        assert isinstance(first, nn.Conv2d)
        assert isinstance(inner, nn.BatchNorm2d)
        assert isinstance(second, nn.Conv2d)
        assert isinstance(outer, nn.BatchNorm2d)
        activations = convolve(norm_relu_pool(convolve(images, first), inner), second)
        return norm_relu_pool(activations, outer, shortcut=self.shortcut(images))

    def shortcut(self, images: Tensor) -> Tensor:
        """The input, subsampled and zero-padded where the shape changes."""
        if not self.widening:
            return images
        half = self.widening // 2
        return F.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))
