"""Triton's kernels against the operators that they stand for, on a GPU or as NumPy code."""

import os

import pytest
import torch
import torch.nn.functional as F

from unskew.kernels.gpu import batch_norm, convolution, lstm_cell, norm_pool, triton_at_hand
from unskew.training.replicas.joint.convolution import channels_last

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
pytestmark = [] if INTERPRETED else [pytest.mark.gpu]
LONG = [pytest.mark.slow] if INTERPRETED else []
FORMATS = [torch.float32, torch.bfloat16]


@pytest.fixture
def both_ways(monkeypatch):
    """Calls a function with Triton's kernels, and again by PyTorch's operators."""
    assert triton_at_hand.takes(torch.zeros(1, device=DEVICE))

    def call(function, *arguments):
        by_kernels = function(*(a() if callable(a) else a for a in arguments))
        for module in (batch_norm, lstm_cell):
            monkeypatch.setattr(module, "takes", lambda tensor: False)
        by_operators = function(*(a() if callable(a) else a for a in arguments))
        monkeypatch.undo()
        return by_kernels, by_operators

    return call


def random(*shape, dtype=torch.float32, seed=0, spread=1.0, centre=0.0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator) * spread + centre
    return values.to(DEVICE, dtype)


def close(found, expected, dtype):
    loose = 1e-5 if dtype is torch.float32 else 2**-7
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        scale = b.float().abs().max()
        torch.testing.assert_close(a.float(), b.float(), rtol=loose, atol=float(loose * scale))


def settings_of(runs, channels, seed=2):
    """Weights and biases as a stack has them, apart in memory, and running statistics."""
    weight, bias = random(runs, 2, channels, seed=seed).unbind(1)
    return weight, bias, random(runs, channels, seed=9), random(runs, channels, seed=10).abs()


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 70, 5), (2, 300, 32), (1, 9, 200)], ids=str)
def test_batch_norm(both_ways, shape, dtype):
    runs, _, channels = shape
    values = random(*shape, dtype=dtype, spread=2, centre=10)
    gradient = random(*shape, dtype=dtype, seed=1)

    def statistics():
        settings = settings_of(runs, channels)
        found = batch_norm.statistics(values, *settings, 0.1, 1e-5)
        return *found, *settings[2:]

    close(*both_ways(statistics), torch.float32)
    of = batch_norm.Statistics(*statistics()[:4])
    assert all(tensor.is_contiguous() for tensor in of)
    shift, slope = random(runs, channels, seed=5), random(runs, channels, seed=6)
    for relu in (False, True):
        settings = values, of.mean, of.scale, of.bias
        one, other = both_ways(batch_norm.normalise, *settings, relu)
        close([one], [other], dtype)
        close(*both_ways(batch_norm.slopes, gradient, values, of, relu), torch.float32)
        one, other = both_ways(
            batch_norm.gradient_at_values, gradient, *settings, shift, slope, relu
        )
        close([one], [other], dtype)


def test_many_positions_are_divided_among_programs(both_ways):
    values = random(1, 80_000, 3, centre=100)

    def statistics():
        return batch_norm.statistics(values, *settings_of(1, 3), 0.1, 1e-5)

    close(*both_ways(statistics), torch.float32)
    found, right = statistics(), values.double()
    torch.testing.assert_close(found.mean.double(), right.mean(dim=1), rtol=1e-6, atol=0)
    expected = (right.var(dim=1, correction=0) + 1e-5).rsqrt()
    torch.testing.assert_close(found.inverse.double(), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("relu", [False, True])
def test_what_is_not_a_number_is_not_hidden(relu):
    values = random(1, 10, 4)
    values[0, 3, 2] = torch.nan
    one = torch.ones(1, 4, device=DEVICE)
    made = batch_norm.normalise(values, one, one, one, relu)
    assert made.isnan().sum() == 1
    found = batch_norm.statistics(values, *settings_of(1, 4), 0.1, 1e-5)
    assert all(torch.isnan(tensor).sum() == 1 for tensor in found[:3])


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (2, 4, 300)], ids=str)
def test_lstm_cell(both_ways, shape, dtype):
    runs, batch, units = shape

    def there_and_back():
        # As slices of longer tensors, which is how a layer has them.
        gates = random(runs, 3, batch, 4 * units, dtype=dtype, spread=3)[:, 1]
        hidden = torch.zeros(runs, 2, batch, units, device=DEVICE, dtype=dtype)
        cells, after = random(runs, batch, units, seed=1), torch.empty(shape, device=DEVICE)
        lstm_cell.step(gates, cells, after, hidden[:, 1])
        above = random(runs, 2, batch, units, dtype=dtype, seed=2)[:, 0]
        coming, at_cell = random(*shape, dtype=dtype, seed=3), random(*shape, seed=4)
        at_gates = torch.empty(runs, 2, batch, 4 * units, device=DEVICE, dtype=dtype)
        lstm_cell.step_back(gates, cells, after, above, coming, at_cell, at_gates[:, 1])
        return hidden[:, 1], after, at_cell, at_gates[:, 1]

    close(*both_ways(there_and_back), dtype)


def test_cells_far_from_zero_neither_overflow_nor_vanish(both_ways):
    gates = torch.tensor([[[100.0, -100, 0, 100] * 4]], device=DEVICE)

    def step():
        after, hidden = (torch.empty(1, 1, 4, device=DEVICE) for _ in range(2))
        lstm_cell.step(gates, torch.full((1, 1, 4), 3e4, device=DEVICE), after, hidden)
        return after, hidden

    one, other = both_ways(step)
    assert all(torch.isfinite(tensor).all() for tensor in one)
    close(one, other, torch.float32)


LAYERS = [
    # batch, height, width, in, out, stride, padding
    pytest.param((2, 6, 6, 3, 20, 1, 1), marks=LONG),
    pytest.param((1, 9, 7, 16, 16, 2, 1), marks=LONG),
    pytest.param((1, 4, 4, 70, 16, 1, 1), marks=LONG),
    pytest.param((1, 4, 4, 16, 130, 1, 1), marks=LONG),
    (1, 6, 6, 33, 40, 1, 0),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_convolution(layer):
    """In float32 as NumPy code, which has no products in bfloat16; held against float64."""
    batch, height, width, channels, outputs, stride, padding = layer
    dtype = torch.float32 if INTERPRETED else torch.bfloat16
    runs, settings = 2, {"stride": stride, "padding": padding}
    images = channels_last(random(runs, batch, channels, height, width, dtype=dtype))
    weight = channels_last(random(runs, outputs, channels, 3, 3, dtype=dtype, seed=1))
    expected = torch.stack([
        F.conv2d(own, weights, **settings)
        for own, weights in zip(images.double(), weight.double(), strict=True)
    ])  # fmt: skip
    gradient = channels_last(random(*expected.shape, dtype=dtype, seed=2))

    def agree(found, right):
        apart = (found.double() - right).norm() / right.norm()
        assert apart < (1e-6 if dtype is torch.float32 else 4e-3)

    agree(convolution.convolve(images, weight, stride, padding), expected)
    of_each = list(zip(images.double(), weight.double(), gradient.double(), strict=True))
    found = convolution.weight_gradient(images, gradient, stride, padding)
    assert found.dtype == torch.float32
    agree(found, torch.stack([
        torch.nn.grad.conv2d_weight(own, weights.shape, slope, **settings)
        for own, weights, slope in of_each
    ]))  # fmt: skip
    if not INTERPRETED:
        again = convolution.weight_gradient(images, gradient, stride, padding)
        assert torch.equal(found, again)
    if stride == 1:
        agree(convolution.image_gradient(gradient, weight, padding), torch.stack([
            torch.nn.grad.conv2d_input(own.shape, weights, slope, **settings)
            for own, weights, slope in of_each
        ]))  # fmt: skip


def test_images_that_all_networks_see():
    dtype = torch.float32 if INTERPRETED else torch.bfloat16
    images = channels_last(random(1, 2, 5, 6, 6, dtype=dtype))
    weight = channels_last(random(3, 4, 5, 3, 3, dtype=dtype, seed=1))
    shared = convolution.convolve(images.expand(3, -1, -1, -1, -1), weight, 1, 1)
    repeated = convolution.convolve(channels_last(images.repeat(3, 1, 1, 1, 1)), weight, 1, 1)
    assert torch.equal(shared, repeated)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("shape", [(2, 3, 4, 6, 5), (1, 2, 2, 2, 1), (1, 9, 16, 16, 40)], ids=str)
def test_norm_and_pool(shape, dtype):
    """Against the norm by itself and PyTorch's pool behind it."""
    runs, *_, channels = shape
    values = random(*shape, dtype=dtype, spread=2, centre=10)
    centre, inverse, scale, bias = (
        random(runs, channels, seed=seed, centre=10 * (seed == 1)) for seed in range(1, 5)
    )
    of = batch_norm.Statistics(centre, inverse, scale, bias)
    settings = centre, scale, bias
    shift, slope = (random(runs, channels, seed=seed, spread=0.1) for seed in (5, 6))
    rows = values.flatten(1, 3)
    # Not rounded before the pool, which the kernel does not do either.
    before = batch_norm.normalise(rows.float(), *settings, True).view(shape).requires_grad_()
    pooled = F.max_pool2d(before.flatten(0, 1).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    pooled = pooled.unflatten(0, shape[:2])
    close([norm_pool.normalise(values, *settings)], [pooled.detach().to(dtype)], dtype)
    gradient = random(*pooled.shape, dtype=dtype, seed=7)
    (inside,) = torch.autograd.grad(pooled, before, gradient.float())
    inside = inside.flatten(1, 3)
    found = norm_pool.slopes(gradient, values, of)
    close(found, batch_norm.slopes(inside, rows.float(), of, True), torch.float32)
    found = norm_pool.gradient_at_values(gradient, values, *settings, shift, slope)
    expected = batch_norm.gradient_at_values(inside, rows.float(), *settings, shift, slope, True)
    close([found], [expected.view(shape).to(dtype)], dtype)
