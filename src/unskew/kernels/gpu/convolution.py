"""3×3 convolutions of many networks at once, in bfloat16.

cuDNN has such networks' layers one by one, or as a convolution in groups that takes several times
as long. Here one launch computes a layer of all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unskew.kernels.gpu import triton_at_hand

SIDE = 3


def takes(images: Tensor, weight: Tensor, dilation: tuple[int, ...], groups: int) -> bool:
    """Whether the kernels are for such a layer.

    In float32 a GPU's matrix units would round to TF32, so that is left to cuDNN.
    """
    return (
        triton_at_hand.takes(images)
        and images.dtype is torch.bfloat16
        and tuple(weight.shape[-2:]) == (SIDE, SIDE)
        and set(dilation) == {1}
        and groups == 1
    )


def convolve(images: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """Each network's images convolved with its own weights; sums are float32.

    Parameters
    ----------
    images: bfloat16 (R, B, C, H, W), in memory (R, B, H, W, C).
    weight: bfloat16 (R, O, C, 3, 3), in memory (R, O, 3, 3, C).

    Returns
    -------
    bfloat16 (R, B, O, H', W'), in memory (R, B, H', W', O).
    """
    from unskew.kernels.gpu.in_triton import convolution as in_triton

    return in_triton.convolve(images, weight, stride, padding)


def image_gradient(gradient: Tensor, weight: Tensor, padding: int) -> Tensor:
    """The gradient at the images of `convolve` with a stride of 1: a convolution as well.

    Parameters
    ----------
    gradient: like the result of `convolve`.
    """
    from unskew.kernels.gpu.in_triton import convolution as in_triton

    return in_triton.convolve(gradient, weight, 1, SIDE - 1 - padding, turned=True)


def weight_gradient(images: Tensor, gradient: Tensor, stride: int, padding: int) -> Tensor:
    """The gradient at the weights of `convolve`, float32 (R, O, C, 3, 3), always summed the same
    way.
    """
    from unskew.kernels.gpu.in_triton import convolution as in_triton

    return in_triton.weight_gradient(images, gradient, stride, padding)
