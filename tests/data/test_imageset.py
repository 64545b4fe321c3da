"""What an image set refuses to be."""

import numpy as np
import pytest

from unskew.data.imageset import ImageSet

LABELS = np.zeros(4, np.int64)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 8, 8, 4), np.uint8),  # with transparency
        np.zeros((4, 8, 8, 1), np.uint8),  # grey
        np.zeros((4, 8, 8), np.uint8),
        np.zeros((4, 8, 8, 3), np.float32),
    ],
)
def test_images_are_rgb_bytes(images):
    with pytest.raises(ValueError, match=r"images must be uint8 \(N, H, W, 3\)"):
        ImageSet(images, LABELS, ("a",))


@pytest.mark.parametrize("labels", [LABELS + 1, LABELS - 1, LABELS[:3], LABELS.astype(np.int32)])
def test_labels_are_those_of_the_names(labels):
    with pytest.raises(ValueError, match="labels must"):
        ImageSet(np.zeros((4, 8, 8, 3), np.uint8), labels, ("a",))
