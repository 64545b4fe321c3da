"""The fused pass against PyTorch's own layers in float64."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.kernels.norms import (
    CLOSE,
    assert_a_constant_channel_has_no_negative_variance,
    assert_large_means_do_not_cancel,
    assert_predicts_alike,
    assert_same_bits_again,
    assert_trains_alike,
    assert_trains_without_statistics,
    assert_unusual_parameters_are_read_as_they_are,
    assert_works_under_function_transforms,
    images,
    in_float64,
    layer,
)
from unskew.kernels.pool_norm_gelu import pool_norm_gelu

KERNELS = ("pool_norm_gelu",)


def plain(x, norm, pool):
    return F.gelu(norm(F.max_pool2d(x, 2) if pool else x))


@pytest.mark.parametrize("threads", [1, 3], indirect=True)
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(
    ("channels", "height", "width"), [(32, 8, 8), (16, 7, 5), (48, 3, 2), (16, 2, 9)]
)
def test_training_pass_equals_the_layers(dtype, pool, channels, height, width, threads):
    x, norm = images(dtype, channels, height, width), layer(channels)
    # What the kernel takes for the normal distribution is 1e-4 from it in bfloat16.
    exact = {"rtol": 1e-3, "atol": 1e-3} if dtype is torch.bfloat16 else None
    assert_trains_alike(pool_norm_gelu, plain, x, norm, pool, exact)


@pytest.mark.parametrize("pool", [False, True])
def test_evaluation_uses_the_running_statistics_and_leaves_them(dtype, pool):
    assert_predicts_alike(pool_norm_gelu, plain, images(dtype, 16, 5, 4), layer(16), pool)


def test_the_whole_range_of_gelu_and_its_slope(dtype):
    """Each channel normalised to what it is: its mean is 0 and its variance 1 at evaluation."""
    norm = nn.BatchNorm2d(16, eps=0.0).eval()
    values = torch.linspace(-9, 9, 400).to(dtype)
    x = values.view(1, 1, 20, 20).expand(1, 16, 20, 20)
    with torch.inference_mode():
        out = pool_norm_gelu(x, norm)[0, 0].flatten().double()
    wanted = F.gelu(values.double())
    # Half a unit of the last place, and what the normal distribution's formula leaves.
    rounding = 2**-8 if dtype is torch.bfloat16 else 2**-22
    torch.testing.assert_close(out, wanted, rtol=rounding, atol=1e-6)


@pytest.mark.parametrize(
    "layer_of",
    [
        lambda: nn.BatchNorm2d(16, affine=False),
        lambda: nn.BatchNorm2d(16, momentum=None),
    ],
)
def test_other_layers_are_left_to_pytorch(dtype, layer_of):
    x, norm = images(dtype, 16, 4, 4), layer_of()
    wanted = F.gelu(copy.deepcopy(norm)(F.max_pool2d(x, 2)))
    torch.testing.assert_close(pool_norm_gelu(x, norm, True), wanted)


@pytest.mark.parametrize(
    ("channels", "training"), [(10, True), (16, False)], ids=["channels", "gradient in evaluation"]
)
def test_what_the_kernels_cannot_is_left_to_pytorch(dtype, channels, training):
    x, norm = images(dtype, channels, 4, 4), layer(channels).train(training)
    wanted_x, _, wanted = in_float64(plain, x, norm, True)
    out = pool_norm_gelu(x, norm, True)
    wanted.sum().backward()
    out.sum().backward()
    torch.testing.assert_close(out.double(), wanted, **CLOSE[dtype])
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE[dtype])


def test_large_means_do_not_cancel(dtype):
    assert_large_means_do_not_cancel(pool_norm_gelu, plain, 16, dtype)


def test_the_first_of_equal_maxima_takes_the_gradient(dtype):
    """As in PyTorch, whose layers say which."""
    x = images(dtype, 16, 4, 6, batch=8).detach()
    x = (x * 0.7).round().contiguous(memory_format=torch.channels_last).requires_grad_()
    norm = layer(16)
    wanted_x, _, wanted = in_float64(plain, x, norm, True)
    out = pool_norm_gelu(x, norm, True)
    gradient = images(dtype, 16, 2, 3, batch=8, seed=4).detach()
    out.backward(gradient)
    wanted.backward(gradient.double())
    assert torch.equal(x.grad != 0, wanted_x.grad != 0)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE[dtype])


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(dtype, bad, pool):
    for place in (0, 1):
        x = images(dtype, 16, 4, 4).detach()
        x[0, 1, 2, 2 + place] = bad
        out = pool_norm_gelu(x, layer(16), pool)
        assert out[:, 1].isnan().any()
        assert out[:, [0, *range(2, 16)]].isfinite().all()


def test_same_threads_same_bits(dtype):
    assert_same_bits_again(pool_norm_gelu, 9, dtype)


def test_batches_are_normalised_without_running_statistics(dtype):
    assert_trains_without_statistics(pool_norm_gelu, plain, 16, dtype)


def test_a_variance_is_never_negative(dtype):
    assert_a_constant_channel_has_no_negative_variance(pool_norm_gelu, 16, dtype)


def test_unusual_parameters_are_read_as_they_are(dtype):
    assert_unusual_parameters_are_read_as_they_are(pool_norm_gelu, plain, 16, dtype)


def test_under_function_transforms_the_layers_are_used(dtype):
    assert_works_under_function_transforms(pool_norm_gelu, plain, 16, dtype)
