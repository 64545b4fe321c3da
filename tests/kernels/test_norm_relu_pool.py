"""The fused pass against PyTorch's own layers in float64."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from unskew.kernels.library import load
from unskew.kernels.norm_relu_pool import norm_relu_pool

LIBRARY = load("norm_relu_pool")

pytestmark = pytest.mark.skipif(LIBRARY.functions is None, reason=f"no kernels: {LIBRARY.reason}")


def layer(channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(channels, generator=generator))
        norm.bias.copy_(torch.randn(channels, generator=generator))
        norm.running_mean.copy_(torch.randn(channels, generator=generator))
        norm.running_var.copy_(torch.rand(channels, generator=generator) + 0.5)
    return norm


def images(channels, height, width, batch=6, seed=1, scale=1.0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(batch, channels, height, width, generator=generator) * scale + offset
    return drawn.bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_()


def reference(x, norm, pool, shortcut=0.0):
    norm = copy.deepcopy(norm).double()
    x = x.detach().double().requires_grad_()
    out = F.relu(norm(x) + shortcut)
    return x, norm, F.max_pool2d(out, 2) if pool else out


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(("channels", "height", "width"), [(32, 8, 8), (3, 4, 6), (17, 2, 2)])
@pytest.mark.parametrize("threads", [1, 3])
def test_training_pass_equals_the_layers(pool, channels, height, width, threads):
    x, norm = images(channels, height, width), layer(channels)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        wanted_x, wanted_norm, wanted = reference(x, norm, pool)
        out = norm_relu_pool(x, norm, pool)
        gradient = torch.randn(out.shape, generator=torch.Generator().manual_seed(2)).bfloat16()
        out.backward(gradient)
    finally:
        torch.set_num_threads(before)
    wanted.backward(gradient.double())
    close = {"rtol": 1e-2, "atol": 2e-2}
    assert out.dtype == torch.bfloat16
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out.double(), wanted, **close)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **close)
    # Parameters and statistics are summed in more than bfloat16.
    exact = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(norm.weight.grad.double(), wanted_norm.weight.grad, **exact)
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad, **exact)
    torch.testing.assert_close(norm.running_mean.double(), wanted_norm.running_mean, **exact)
    torch.testing.assert_close(norm.running_var.double(), wanted_norm.running_var, **exact)
    assert norm.num_batches_tracked == wanted_norm.num_batches_tracked == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_a_shortcut_is_added_before_the_relu(threads):
    x, norm, shortcut = images(17, 4, 6), layer(17), images(17, 4, 6, seed=5)
    wanted_shortcut = shortcut.detach().double().requires_grad_()
    wanted_x, wanted_norm, wanted = reference(x, norm, False, wanted_shortcut)
    gradient = images(17, 4, 6, seed=6).detach()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        out = norm_relu_pool(x, norm, shortcut=shortcut)
        out.backward(gradient)
    finally:
        torch.set_num_threads(before)
    wanted.backward(gradient.double())
    close = {"rtol": 1e-2, "atol": 2e-2}
    torch.testing.assert_close(out.double(), wanted, **close)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **close)
    torch.testing.assert_close(shortcut.grad.double(), wanted_shortcut.grad, **close)
    exact = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(norm.weight.grad.double(), wanted_norm.weight.grad, **exact)
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad, **exact)
    norm.eval()
    wanted_norm.eval()
    with torch.no_grad():
        out = norm_relu_pool(x, norm, shortcut=shortcut)
        wanted = F.relu(wanted_norm(wanted_x) + wanted_shortcut)
    torch.testing.assert_close(out.double(), wanted, **close)


@pytest.mark.parametrize("pool", [False, True])
def test_evaluation_uses_the_running_statistics_and_leaves_them(pool):
    x, norm = images(16, 4, 4).detach(), layer(16).eval()
    _, same, wanted = reference(x, norm, pool)
    with torch.inference_mode():
        out = norm_relu_pool(x, norm, pool)
    torch.testing.assert_close(out.double(), wanted.detach(), rtol=1e-2, atol=1e-2)
    assert torch.equal(norm.running_mean.double(), same.running_mean)


def test_evaluation_with_a_gradient_is_left_to_the_layers():
    x, norm = images(4, 4, 4), layer(4).eval()
    wanted_x, _, wanted = reference(x, norm, True)
    wanted.sum().backward()
    norm_relu_pool(x, norm, True).sum().backward()
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, rtol=1e-2, atol=1e-2)


def test_large_means_do_not_cancel():
    x, norm = images(8, 4, 4, scale=1.0, offset=1000.0), layer(8)
    _, wanted_norm, wanted = reference(x, norm, False)
    out = norm_relu_pool(x, norm, False)
    torch.testing.assert_close(out.double(), wanted, rtol=1e-2, atol=2e-2)
    torch.testing.assert_close(
        norm.running_var.double(), wanted_norm.running_var, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("pool", [False, True])
def test_equal_maxima_pass_the_gradient_once(pool):
    x = torch.ones(2, 4, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    norm = layer(4)
    with torch.no_grad():
        norm.bias.fill_(1.0)
    wanted_x, wanted_norm, wanted = reference(x, norm, pool)
    norm_relu_pool(x, norm, pool).sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(bad):
    x = images(4, 4, 4).detach()
    x[0, 1, 2, 3] = bad
    out = norm_relu_pool(x, layer(4), False)
    assert out[:, 1].isnan().any()
    assert out[:, [0, 2, 3]].isfinite().all()


def test_same_threads_same_bits():
    results = []
    for _ in range(2):
        x, norm = images(32, 8, 8), layer(32)
        out = norm_relu_pool(x, norm, True)
        out.float().square().sum().backward()
        results.append((out.detach(), x.grad, norm.weight.grad, norm.running_var))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_a_layer_without_running_statistics_is_left_to_pytorch():
    x, norm = images(4, 4, 4), nn.BatchNorm2d(4, track_running_stats=False)
    torch.testing.assert_close(norm_relu_pool(x, norm, False), F.relu(norm(x)))
