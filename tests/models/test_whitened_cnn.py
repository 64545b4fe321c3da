"""The whitening layer against its definition; the network of the speed-runs against its paper."""

import numpy as np
import pytest
import torch

from tests.conftest import make_images
from unskew.data.batches import Batches, whole
from unskew.data.normalise import channel_statistics
from unskew.data.patches import patch_second_moment
from unskew.errors import UserError
from unskew.models.registry import build
from unskew.models.summary import summarise
from unskew.models.whitening import Whitening, whitening_of
from unskew.training.whitening import fit_whitening


def test_second_moment_is_that_of_the_patches_counted_one_by_one():
    view = whole(make_images(7, 3, 0, size=8))
    mean, std = channel_statistics(view)
    images = Batches(view, mean, std).images(torch.arange(7)).double().numpy()
    patches = [
        images[n, :, y : y + 2, x : x + 2].ravel()
        for n in range(7)
        for y in range(7)
        for x in range(7)
    ]
    expected = np.mean([np.outer(p, p) for p in patches], axis=0)
    np.testing.assert_allclose(patch_second_moment(view, mean, std, 2), expected, atol=1e-5)


def test_of_many_images_some_are_looked_at(monkeypatch):
    view = whole(make_images(40, 4, 0, size=8))
    mean, std = channel_statistics(view)
    monkeypatch.setattr("unskew.data.patches.LIMIT", 10)
    found = patch_second_moment(view, mean, std, 2)
    spaced = view.select(np.linspace(0, 39, 10).astype(np.int64))
    np.testing.assert_allclose(found, patch_second_moment(spaced, mean, std, 2))


def test_whitened_patches_are_uncorrelated_and_of_variance_one():
    view = whole(make_images(60, 3, 0))
    mean, std = channel_statistics(view)
    layer = Whitening(3, 2)
    fit_whitening(torch.nn.Sequential(layer), view, mean, std)
    found = layer(Batches(view, mean, std).images(torch.arange(60)))
    assert torch.equal(found[:, :12], -found[:, 12:])
    flat = found[:, :12].permute(1, 0, 2, 3).flatten(1).double()
    torch.testing.assert_close(
        flat @ flat.T / flat.shape[1], torch.eye(12, dtype=torch.float64), atol=0.01, rtol=0
    )


def test_directions_of_no_variance_are_not_blown_up():
    layer = Whitening(1, 2)
    layer.whiten(torch.diag(torch.tensor([4.0, 1.0, 0.0, 0.0])))
    assert layer.weight.abs().max() == pytest.approx(5e-4**-0.5)


def test_filters_are_fixed_and_saved():
    network = build("whitened_cnn", 4, 16, {"width": 8})
    layer = whitening_of(network)
    assert layer is network.stem
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    layer.whiten(torch.diag(torch.arange(1.0, 13)))
    other = build("whitened_cnn", 4, 16, {"width": 8})
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.stem.weight, layer.weight)
    assert whitening_of(build("cnn", 4, 16)) is None


@pytest.mark.parametrize("size", [8, 16, 24, 32, 64])
def test_any_multiple_of_eight_works(size):
    network = build("whitened_cnn", 7, size, {"width": 8})
    assert network(torch.randn(2, 3, size, size)).shape == (2, 7)


def test_it_has_the_papers_sides_and_widths():
    rows = summarise(build("whitened_cnn", 10))
    shapes = [row.output_shape for row in rows if row.kind.startswith("Conv2d")]
    assert shapes == [
        (24, 31, 31), (64, 31, 31), (64, 15, 15), (256, 15, 15), (256, 7, 7), (256, 7, 7),
        (256, 3, 3),
    ]  # fmt: skip
    # airbench94: 1,971,904 numbers in filters of 3×3, and the classifier.
    filters = [row.parameters for row in rows if row.kind == "Conv2d 3×3"]
    assert sum(filters) == 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    assert rows[-1].parameters == 2560


def test_untrained_it_passes_images_on():
    network = build("whitened_cnn", 10, 32)
    images = torch.randn(2, 24, 31, 31)
    torch.testing.assert_close(network.groups[0].conv1(images)[:, :24], images)


def test_norms_have_a_bias_and_no_scale():
    norm = build("whitened_cnn", 10, 32).groups[1].norm2
    assert [name for name, _ in norm.named_parameters()] == ["bias"]
    images = torch.randn(64, 256, 3, 3) * 5 + 2
    plain = torch.nn.functional.batch_norm(images, None, None, training=True)
    torch.testing.assert_close(norm(images), plain)


def test_a_redrawn_classifier_is_as_small_as_the_first():
    classifier = build("whitened_cnn", 100, 32).classifier
    assert float(classifier.weight.detach().std()) == pytest.approx(1 / 256, rel=0.05)
    torch.nn.init.ones_(classifier.weight)
    classifier.reset_parameters()
    assert float(classifier.weight.detach().std()) == pytest.approx(1 / 256, rel=0.05)


@pytest.mark.parametrize(
    ("size", "options", "words"), [(30, {}, "multiple of 8"), (32, {"width": 0}, "width = 0")]
)
def test_what_does_not_fit_is_refused(size, options, words):
    with pytest.raises(UserError, match=words):
        build("whitened_cnn", 10, size, options)


def test_weights_loaded_into_a_network_made_without_memory_are_all_there_is():
    made = build("whitened_cnn", 10).eval()
    with torch.device("meta"):
        empty = build("whitened_cnn", 10)
    empty.to_empty(device="cpu")
    for buffer in empty.buffers():
        buffer.fill_(-1)
    empty.load_state_dict(made.state_dict())
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(empty.eval()(images), made(images))
