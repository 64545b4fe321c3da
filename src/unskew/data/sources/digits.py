"""Scikit-learn's handwritten digits: real images that need no download."""

from __future__ import annotations

import numpy as np

from unskew.data.imageset import ImageSet
from unskew.data.split import stratified_split

TEST_SHARE = 0.2


def read_digits() -> tuple[ImageSet, ImageSet, list[str]]:
    """(train, test, notes): 1,797 digits of 8×8 pixels (Alpaydin & Kaynak 1998), enlarged to
    32×32 by repeating pixels, grey in all three channels; a stratified 20 % are test images.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = (digits.images * (255 / 16)).round().astype(np.uint8)
    large = grey.repeat(4, axis=1).repeat(4, axis=2)
    pixels = np.repeat(large[..., None], 3, axis=3)
    images = ImageSet(pixels, digits.target.astype(np.int64), tuple(map(str, range(10))))
    rest, held_out = stratified_split(images.labels, TEST_SHARE, 0, 10)
    return images.subset(rest), images.subset(held_out), []
