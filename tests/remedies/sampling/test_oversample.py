"""Repeating minority images."""

import numpy as np
import pytest
import torch

from tests.remedies.scene import FACTS, make_facts
from unskew.data.randomness import stream
from unskew.remedies.base import Batch
from unskew.remedies.registry import make_remedy


@pytest.mark.parametrize("name", ["oversample", "oversample_augmented"])
def test_every_class_is_filled_up_and_the_copies_are_flagged(name):
    draw = make_remedy(name).draw(FACTS, 0, stream(0, "order", 0))
    drawn = FACTS.labels[draw.indices]
    assert np.bincount(drawn, minlength=4).tolist() == [40, 40, 40, 0]
    originals = draw.indices[~draw.copies]
    assert sorted(originals) == list(range(len(FACTS.labels)))
    times = np.bincount(draw.indices[drawn == 1], minlength=50)[40:50]
    assert times.max() - times.min() <= 1


def batch_of(copies):
    images = torch.randn(8, 3, 16, 16).to(memory_format=torch.channels_last)
    return Batch(images, torch.zeros(8, dtype=torch.int64), torch.arange(8), copies=copies)


def transformed(batch, **options):
    remedy = make_remedy("oversample_augmented", {"oversample_augmented": options})
    return remedy.transform(batch, FACTS, stream(0, "t", 0)).images


def test_augmentation_changes_copies_only_and_every_option_acts():
    copies = torch.arange(8) >= 4
    batch = batch_of(copies)
    changed = transformed(batch)
    assert torch.equal(changed[~copies], batch.images[~copies])
    assert all(not torch.equal(changed[k], batch.images[k]) for k in range(4, 8))
    for option in ({"degrees": 0.0}, {"noise": 0.0}):
        assert not torch.equal(transformed(batch, **option), changed)


def test_balanced_classes_have_no_copies_and_nothing_is_augmented():
    facts = make_facts([5, 5])
    draw = make_remedy("oversample_augmented").draw(facts, 0, stream(0, "order", 0))
    assert sorted(draw.indices) == list(range(10))
    assert not draw.copies.any()
    batch = batch_of(torch.zeros(8, dtype=torch.bool))
    assert torch.equal(transformed(batch), batch.images)
