import pytest
import torch
from torch import nn

from tests.conftest import make_images
from unskew.data.batches import Batches, whole
from unskew.data.normalise import channel_statistics
from unskew.training.predict import predict_logits


class Corner(nn.Module):
    """Squares of an image's first pixels: no two views give the same."""

    def forward(self, images):
        return images[:, 0, :2, :3].flatten(1).square()


@pytest.fixture
def batches():
    view = whole(make_images(9, 3, 0))
    return Batches(view, *channel_statistics(view))


def logits(batches, views, **options):
    return predict_logits(Corner(), batches, torch.float32, views=views, **options)


def test_views_are_averaged(batches):
    look, images = Corner(), batches.images(torch.arange(9))
    mirrored = images.flip(3)
    torch.testing.assert_close(logits(batches, "one"), look(images))
    flipped = (look(images) + look(mirrored)) / 2
    torch.testing.assert_close(logits(batches, "flip"), flipped)

    padded = nn.functional.pad(images, (1, 1, 1, 1), "reflect")
    up, down = padded[:, :, :-2, :-2], padded[:, :, 2:, 2:]
    moved = sum(look(view) + look(view.flip(3)) for view in (up, down)) / 4
    torch.testing.assert_close(logits(batches, "flip_translate"), (flipped + moved) / 2)


def test_the_network_is_left_as_it_was_found(batches):
    network = nn.Sequential(Corner(), nn.Identity())
    network.eval()
    network[1].train()  # as in a stage that trains the classifier alone
    predict_logits(network, batches, torch.float32)
    assert [module.training for module in network.modules()] == [False, False, True]


@pytest.mark.parametrize("views", ["one", "flip", "flip_translate"])
def test_the_batch_size_changes_nothing(batches, views):
    assert torch.equal(logits(batches, views), logits(batches, views, batch_size=4))
