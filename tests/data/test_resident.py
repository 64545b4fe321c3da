import gc

import numpy as np
import torch

from unskew.data import resident as room
from unskew.data.batches import Batches, View
from unskew.data.resident import resident

ELSEWHERE = torch.device("meta")


def test_one_copy_for_all_who_ask_and_none_when_the_images_are_gone():
    images = np.zeros((4, 8, 8, 3), dtype=np.uint8)
    copy = resident(images, ELSEWHERE)
    assert resident(images, ELSEWHERE) is copy
    assert copy.shape == images.shape
    other = np.zeros_like(images)
    assert resident(other, ELSEWHERE) is not copy
    held = len(room._held)
    del images, other
    gc.collect()
    assert len(room._held) == held - 2


def test_views_of_a_set_share_its_pixels_on_the_device(splits):
    mean, std = np.zeros(3, np.float32), np.ones(3, np.float32)
    views = [View(splits.train, np.arange(count)) for count in (10, 20)]
    first, second = (Batches(view, mean, std, "meta") for view in views)
    assert first._pixels is second._pixels
    assert len(first._pixels) == len(splits.train)
