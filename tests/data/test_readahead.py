import mmap

import numpy as np
import pytest
import torch

from unskew.data import readahead
from unskew.data.batches import Batches, whole
from unskew.data.imageset import ImageSet
from unskew.data.normalise import channel_statistics
from unskew.data.readahead import Readahead, major_faults

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 3), dtype=np.uint8)


class Recorder:
    """A map that remembers what it was advised."""

    def __init__(self, real):
        self.real, self.told = real, []

    def madvise(self, advice, *where):
        self.real.madvise(advice, *where)  # the system refuses what is out of range
        self.told.append((advice, *where))


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    return np.load(tmp_path / "images.npy", mmap_mode="r")


def test_nothing_is_told_until_the_disk_was_waited_for(mapped, monkeypatch):
    faults = [7]
    ahead = Readahead(mapped, lambda: faults[0])
    ahead._map = recorder = Recorder(ahead._map)
    assert not ahead(np.array([1, 2]))
    faults[0] = 8
    assert ahead(np.array([1, 63]))
    (once, *rows) = recorder.told
    assert once == (mmap.MADV_RANDOM,), "of what is not wanted nothing is to be read"
    for row, (advice, begin, length) in zip((1, 63), rows, strict=True):
        start = mapped.offset + row * IMAGES[0].nbytes
        assert advice == mmap.MADV_WILLNEED
        assert begin % mmap.PAGESIZE == 0
        assert begin <= start < start + IMAGES[0].nbytes == begin + length


def test_it_is_tried_without_after_a_while(mapped, monkeypatch):
    monkeypatch.setattr(readahead, "WATCHED", 3)
    faults = [0]
    ahead = Readahead(mapped, lambda: faults[0])
    faults[0] = 1
    ahead._map = recorder = Recorder(ahead._map)
    assert [ahead(np.array([0])) for _ in range(5)] == [True, True, True, False, False]
    faults[0] = 2
    assert ahead(np.array([0]))
    ways = [advice for advice, *_ in recorder.told if advice != mmap.MADV_WILLNEED]
    assert ways == [mmap.MADV_RANDOM, mmap.MADV_NORMAL, mmap.MADV_RANDOM]


def test_what_was_read_here_and_there_is_read_in_order_again(mapped):
    recorder = mapped._mmap = Recorder(mapped._mmap)
    images = ImageSet(mapped, np.zeros(64, np.int64), ("a", "b"))
    channel_statistics(whole(images))
    assert recorder.told == [(mmap.MADV_NORMAL,)]
    readahead.read_in_order(IMAGES)  # in memory there is nothing to tell


def test_an_array_in_memory_needs_nothing():
    faults = [0]
    ahead = Readahead(IMAGES, lambda: faults[0])
    faults[0] = 1
    assert not ahead(np.array([0]))


def test_batches_read_ahead_by_the_rows_of_their_view(mapped):
    images = ImageSet(mapped, np.zeros(64, np.int64), ("a", "b"))
    view = whole(images).select(np.array([5, 9, 40]))
    batches = Batches(view, *channel_statistics(view))
    asked = []
    batches._readahead = asked.append
    batches.ahead(torch.tensor([2, 0]))
    assert [rows.tolist() for rows in asked] == [[40, 5]]


def test_faults_never_go_down():
    before = major_faults()
    assert before >= 0
    assert major_faults() >= before
