"""A convolution of many networks at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unskew.kernels.gpu import convolution as kernels
from unskew.training.replicas.joint.over_runs import over_runs
from unskew.training.replicas.joint.side_streams import at_once

Pair = tuple[int, ...]


class Convolution(nn.Module):
    """`nn.Conv2d` of each network by itself, side by side: cuDNN's convolutions in groups, which
    `torch.func.vmap` would make of them, take several times as long.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        assert isinstance(layer.padding, tuple)
        self._settings = _Settings(layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, O, H', W'), channels last in memory."""
        made = over_runs(_convolve, images, self.weight, self._settings)
        return made if self.bias is None else made + self.bias.view(-1, 1, 1)


def _convolve(images: Tensor, weight: Tensor, settings: _Settings) -> Tensor:
    made: Tensor = _Convolve.apply(images, weight, settings)
    return made


@dataclass(frozen=True)
class _Settings:
    """Of `nn.Conv2d`."""

    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int

    def known_to_kernels(self, images: Tensor, weight: Tensor) -> bool:
        """Whether the package's own kernels take such a layer, all networks in one launch."""
        return (
            len({*self.stride}) == len({*self.padding}) == 1
            and kernels.takes(images, weight, self.dilation, self.groups)
        )  # fmt: skip


class _Convolve(torch.autograd.Function):
    """Images (R, B, C, H, W) and weights (R, O, C/groups, h, w) to (R, B, O, H', W')."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, settings: _Settings) -> Tensor:
        images, weight = channels_last(images), channels_last(weight)
        ctx.save_for_backward(images, weight)
        ctx.settings = settings
        if settings.known_to_kernels(images, weight):
            return kernels.convolve(images, weight, settings.stride[0], settings.padding[0])

        def one(run: int) -> Tensor:
            return torch.ops.aten.convolution(
                images[run], weight[run], None, settings.stride, settings.padding,
                settings.dilation, False, (0, 0), settings.groups,
            )  # fmt: skip

        return _joined(at_once(len(weight), one, images.device))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        of_all = channels_last(gradient), images, weight, ctx.settings
        at_images, at_weight = ctx.needs_input_grad[:2]
        return (
            _image_gradient(*of_all) if at_images else None,
            _weight_gradient(*of_all) if at_weight else None,
            None,
        )


def _image_gradient(
    gradient: Tensor, images: Tensor, weight: Tensor, settings: _Settings
) -> Tensor:
    if settings.known_to_kernels(images, weight) and settings.stride[0] == 1:
        return kernels.image_gradient(gradient, weight, settings.padding[0])
    return _one_by_one(gradient, images, weight, settings, 0)


def _weight_gradient(
    gradient: Tensor, images: Tensor, weight: Tensor, settings: _Settings
) -> Tensor:
    if settings.known_to_kernels(images, weight):
        found = kernels.weight_gradient(images, gradient, settings.stride[0], settings.padding[0])
        return found.to(weight.dtype)
    return _one_by_one(gradient, images, weight, settings, 1)


def _one_by_one(
    gradient: Tensor, images: Tensor, weight: Tensor, settings: _Settings, which: int
) -> Tensor:
    """PyTorch's gradient of each network at its images (`which` 0) or its weights (1)."""
    wanted = [which == 0, which == 1, False]

    def one(run: int) -> Tensor:
        found: Tensor = torch.ops.aten.convolution_backward(
            gradient[run], images[run], weight[run], None, settings.stride, settings.padding,
            settings.dilation, False, (0, 0), settings.groups, wanted,
        )[which]  # fmt: skip
        return found

    return _joined(at_once(len(weight), one, images.device))


def channels_last(tensor: Tensor) -> Tensor:
    """(R, B, C, H, W) whose memory lies as (R, B, H, W, C); the tensor itself if it does."""
    if tensor.stride(0) == 0:  # the same for all
        return channels_last(tensor[0].unsqueeze(0)).expand_as(tensor)
    return tensor.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)


def _joined(parts: list[Tensor]) -> Tensor:
    """R tensors (B, C, H, W), channels last, as one (R, B, C, H, W)."""
    if len(parts) == 1:
        return parts[0].unsqueeze(0)
    return torch.cat(parts).unflatten(0, (len(parts), -1))
