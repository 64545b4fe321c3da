"""The fused pass against PyTorch's own layers in float64."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.kernels.test_norm_relu_pool import images, layer
from unskew.kernels.library import load
from unskew.kernels.pool_norm_gelu import pool_norm_gelu

LIBRARY = load("pool_norm_gelu")

pytestmark = pytest.mark.skipif(LIBRARY.functions is None, reason=f"no kernels: {LIBRARY.reason}")

CLOSE = {"rtol": 1e-2, "atol": 2e-2}
EXACT = {"rtol": 1e-3, "atol": 1e-3}
"""Parameters and statistics are summed in more than bfloat16."""


def reference(x, norm, pool):
    norm = copy.deepcopy(norm).double()
    x = x.detach().double().requires_grad_()
    return x, norm, F.gelu(norm(F.max_pool2d(x, 2) if pool else x))


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 3], indirect=True)
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(
    ("channels", "height", "width"), [(32, 8, 8), (16, 7, 5), (48, 3, 2), (16, 2, 9)]
)
def test_training_pass_equals_the_layers(pool, channels, height, width, threads):
    x, norm = images(channels, height, width), layer(channels)
    wanted_x, wanted_norm, wanted = reference(x, norm, pool)
    out = pool_norm_gelu(x, norm, pool)
    gradient = torch.randn(out.shape, generator=torch.Generator().manual_seed(2)).bfloat16()
    out.backward(gradient)
    wanted.backward(gradient.double())
    assert out.dtype == torch.bfloat16
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out.double(), wanted, **CLOSE)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE)
    torch.testing.assert_close(norm.weight.grad.double(), wanted_norm.weight.grad, **EXACT)
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad, **EXACT)
    torch.testing.assert_close(norm.running_mean.double(), wanted_norm.running_mean, **EXACT)
    torch.testing.assert_close(norm.running_var.double(), wanted_norm.running_var, **EXACT)
    assert norm.num_batches_tracked == wanted_norm.num_batches_tracked == 1


@pytest.mark.parametrize("pool", [False, True])
def test_evaluation_uses_the_running_statistics_and_leaves_them(pool):
    x, norm = images(16, 5, 4).detach(), layer(16).eval()
    _, same, wanted = reference(x, norm, pool)
    with torch.inference_mode():
        out = pool_norm_gelu(x, norm, pool)
    torch.testing.assert_close(out.double(), wanted.detach(), rtol=1e-2, atol=1e-2)
    assert torch.equal(norm.running_mean.double(), same.running_mean)


def test_the_whole_range_of_gelu_and_its_slope():
    """Each channel normalised to what it is: its mean is 0 and its variance 1 at evaluation."""
    norm = nn.BatchNorm2d(16, eps=0.0).eval()
    values = torch.linspace(-9, 9, 400).bfloat16()
    x = values.view(1, 1, 20, 20).expand(1, 16, 20, 20)
    with torch.inference_mode():
        out = pool_norm_gelu(x, norm)[0, 0].flatten().double()
    wanted = F.gelu(values.double())
    # Half a unit of bfloat16's last place, and what the normal distribution's formula leaves.
    torch.testing.assert_close(out, wanted, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize(
    "layer_of",
    [
        lambda: nn.BatchNorm2d(16, track_running_stats=False),
        lambda: nn.BatchNorm2d(16, affine=False),
        lambda: nn.BatchNorm2d(16, momentum=None),
    ],
)
def test_other_layers_are_left_to_pytorch(layer_of):
    x, norm = images(16, 4, 4), layer_of()
    wanted = F.gelu(copy.deepcopy(norm)(F.max_pool2d(x, 2)))
    torch.testing.assert_close(pool_norm_gelu(x, norm, True), wanted)


@pytest.mark.parametrize(
    ("channels", "training"), [(10, True), (16, False)], ids=["channels", "gradient in evaluation"]
)
def test_what_the_kernels_cannot_is_left_to_pytorch(channels, training):
    x, norm = images(channels, 4, 4), layer(channels).train(training)
    wanted_x, _, wanted = reference(x, norm, True)
    out = pool_norm_gelu(x, norm, True)
    wanted.sum().backward()
    out.sum().backward()
    torch.testing.assert_close(out.double(), wanted, **CLOSE)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE)


def test_large_means_do_not_cancel():
    x, norm = images(16, 4, 4, scale=1.0, offset=1000.0), layer(16)
    _, wanted_norm, wanted = reference(x, norm, True)
    torch.testing.assert_close(pool_norm_gelu(x, norm, True).double(), wanted, **CLOSE)
    torch.testing.assert_close(norm.running_var.double(), wanted_norm.running_var, **EXACT)


def test_the_first_of_equal_maxima_takes_the_gradient():
    """As in PyTorch, whose layers say which."""
    x = images(16, 4, 6, batch=8).detach()
    x = (x * 0.7).round().contiguous(memory_format=torch.channels_last).requires_grad_()
    norm = layer(16)
    wanted_x, _, wanted = reference(x, norm, True)
    out = pool_norm_gelu(x, norm, True)
    gradient = images(16, 2, 3, batch=8, seed=4).detach()
    out.backward(gradient)
    wanted.backward(gradient.double())
    assert torch.equal(x.grad != 0, wanted_x.grad != 0)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE)


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(bad, pool):
    for place in (0, 1):
        x = images(16, 4, 4).detach()
        x[0, 1, 2, 2 + place] = bad
        out = pool_norm_gelu(x, layer(16), pool)
        assert out[:, 1].isnan().any()
        assert out[:, [0, *range(2, 16)]].isfinite().all()


def test_same_threads_same_bits():
    results = []
    for _ in range(2):
        x, norm = images(32, 9, 8), layer(32)
        out = pool_norm_gelu(x, norm, True)
        out.float().square().sum().backward()
        results.append((out.detach(), x.grad, norm.weight.grad, norm.running_var))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
