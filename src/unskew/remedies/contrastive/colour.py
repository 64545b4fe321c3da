"""Colour changes of whole batches, for views that should not be told apart by colour."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unskew.data.transfer import moved


def jitter(images: Tensor, strength: float, grey: float, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast and saturation of each image changed at random, some made grey.

    Colours are changed as they are after normalisation, which for brightness means a shift in
    standard deviations instead of a factor.

    Parameters
    ----------
    images: float (B, 3, H, W), normalised.
    strength: brightness shifts by up to so much, contrast and saturation are multiplied by up
        to 1 ± so much.
    grey: probability of an image without colour.
    """
    count = len(images)
    draws = rng.uniform(-strength, strength, (3, count)).astype(np.float32)
    shift, contrast, saturation = moved(torch.from_numpy(draws), images)[:, :, None, None, None]
    colourless = moved(torch.from_numpy(rng.random(count) < grey), images)
    saturation = (1 + saturation).masked_fill(colourless[:, None, None, None], 0.0)
    brightness = images.mean(dim=1, keepdim=True)
    images = torch.lerp(brightness, images, saturation)
    mean = brightness.mean(dim=(2, 3), keepdim=True)
    return (images - mean) * (1 + contrast) + mean + shift
