"""The fused pass against PyTorch's own layers in float64."""

import pytest
import torch
import torch.nn.functional as F

from tests.kernels.norms import (
    CLOSE,
    EXACT,
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
from unskew.kernels.norm_relu_pool import norm_relu_pool

KERNELS = ("norm_relu_pool",)


def plain(x, norm, pool, shortcut=0.0):
    out = F.relu(norm(x) + shortcut)
    return F.max_pool2d(out, 2) if pool else out


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(("channels", "height", "width"), [(32, 8, 8), (3, 4, 6), (17, 2, 2)])
@pytest.mark.parametrize("threads", [1, 3], indirect=True)
def test_training_pass_equals_the_layers(dtype, pool, channels, height, width, threads):
    x, norm = images(dtype, channels, height, width), layer(channels)
    assert_trains_alike(norm_relu_pool, plain, x, norm, pool)


@pytest.mark.parametrize("threads", [1, 3], indirect=True)
def test_a_shortcut_is_added_before_the_relu(dtype, threads):
    x, norm, shortcut = images(dtype, 17, 4, 6), layer(17), images(dtype, 17, 4, 6, seed=5)
    wanted_shortcut = shortcut.detach().double().requires_grad_()
    wanted_x, wanted_norm, wanted = in_float64(plain, x, norm, False, wanted_shortcut)
    gradient = images(dtype, 17, 4, 6, seed=6).detach()
    out = norm_relu_pool(x, norm, shortcut=shortcut)
    out.backward(gradient)
    wanted.backward(gradient.double())
    torch.testing.assert_close(out.double(), wanted, **CLOSE[dtype])
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE[dtype])
    torch.testing.assert_close(shortcut.grad.double(), wanted_shortcut.grad, **CLOSE[dtype])
    torch.testing.assert_close(norm.weight.grad.double(), wanted_norm.weight.grad, **EXACT[dtype])
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad, **EXACT[dtype])
    norm.eval()
    wanted_norm.eval()
    with torch.no_grad():
        out = norm_relu_pool(x, norm, shortcut=shortcut)
        wanted = plain(wanted_x, wanted_norm, False, wanted_shortcut)
    torch.testing.assert_close(out.double(), wanted, **CLOSE[dtype])


@pytest.mark.parametrize("pool", [False, True])
def test_evaluation_uses_the_running_statistics_and_leaves_them(dtype, pool):
    assert_predicts_alike(norm_relu_pool, plain, images(dtype, 16, 4, 4), layer(16), pool)


def test_evaluation_with_a_gradient_is_left_to_the_layers(dtype):
    x, norm = images(dtype, 4, 4, 4), layer(4).eval()
    wanted_x, _, wanted = in_float64(plain, x, norm, True)
    wanted.sum().backward()
    norm_relu_pool(x, norm, True).sum().backward()
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE[dtype])


def test_large_means_do_not_cancel(dtype):
    assert_large_means_do_not_cancel(norm_relu_pool, plain, 8, dtype)


@pytest.mark.parametrize("pool", [False, True])
def test_equal_maxima_pass_the_gradient_once(dtype, pool):
    x = (
        torch.ones(2, 4, 4, 4, dtype=dtype)
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
    )
    norm = layer(4)
    with torch.no_grad():
        norm.bias.fill_(1.0)
    wanted_x, wanted_norm, wanted = in_float64(plain, x, norm, pool)
    norm_relu_pool(x, norm, pool).sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE[dtype])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_shows(dtype, bad):
    x = images(dtype, 4, 4, 4).detach()
    x[0, 1, 2, 3] = bad
    out = norm_relu_pool(x, layer(4), False)
    assert out[:, 1].isnan().any()
    assert out[:, [0, 2, 3]].isfinite().all()


def test_same_threads_same_bits(dtype):
    assert_same_bits_again(norm_relu_pool, 8, dtype)


@pytest.mark.parametrize(("height", "width"), [(6, 9), (9, 6)])
def test_a_pool_of_odd_sides_is_left_to_the_layers(dtype, height, width):
    x, norm = images(dtype, 4, height, width), layer(4)
    wanted_x, _, wanted = in_float64(plain, x, norm, True)
    out = norm_relu_pool(x, norm, True)
    out.sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(out.double(), wanted, **CLOSE[dtype])
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **CLOSE[dtype])


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_nan_stays_one_wherever_it_lies_in_a_pool(dtype, place):
    x = images(dtype, 4, 4, 4).detach()
    x[0, 1, 2 + place[0], place[1]] = float("nan")
    with torch.inference_mode():
        out = norm_relu_pool(x, layer(4).eval(), True)
    assert out[0, 1, 1, 0].isnan()
    assert int(out.isnan().sum()) == 1


def test_in_evaluation_gradients_of_the_layer_and_the_shortcut_are_left_to_pytorch(dtype):
    x, norm, shortcut = (
        images(dtype, 4, 4, 4).detach(),
        layer(4).eval(),
        images(dtype, 4, 4, 4, seed=5),
    )
    norm_relu_pool(x, norm, shortcut=shortcut).sum().backward()
    assert norm.weight.grad.abs().sum() > 0
    assert shortcut.grad.abs().sum() > 0
    for parameter in norm.parameters():
        parameter.requires_grad_(False)
    shortcut.grad = None
    norm_relu_pool(x, norm, shortcut=shortcut).sum().backward()
    assert shortcut.grad.abs().sum() > 0


def test_a_nan_of_any_bits_stays_one():
    """Rounding must not carry its bits over to infinity or zero."""
    x = images(torch.float32, 4, 4, 4).detach().bfloat16()
    for bits in (0x7F800001, 0x7FFFFFFF, -1):
        for name in ("weight", "bias"):
            norm = layer(4)
            getattr(norm, name).data[1] = torch.tensor(bits, dtype=torch.int32).view(torch.float32)
            assert norm_relu_pool(x, norm)[:, 1].isnan().all()
            with torch.inference_mode():
                assert norm_relu_pool(x, norm.eval())[:, 1].isnan().all()


def test_a_layer_in_half_precision_is_left_to_pytorch():
    x, norm = images(torch.bfloat16, 4, 4, 4).detach(), layer(4).eval().bfloat16()
    torch.testing.assert_close(norm_relu_pool(x, norm), F.relu(norm(x)))


def test_one_value_a_channel_is_refused_as_pytorch_refuses_it(dtype):
    norm = layer(4)
    with pytest.raises(ValueError, match="more than 1 value"):
        norm_relu_pool(images(dtype, 4, 1, 1, batch=1), norm)
    assert norm.running_var.isfinite().all()


def test_a_shortcut_of_another_shape_is_added_as_pytorch_adds_it(dtype):
    x, norm = images(dtype, 4, 4, 4).detach(), layer(4).eval()
    shortcut = images(dtype, 4, 1, 1, batch=1, seed=5).detach()
    with torch.inference_mode():
        out = norm_relu_pool(x, norm, shortcut=shortcut)
    torch.testing.assert_close(out, F.relu(norm(x) + shortcut))


def test_batches_are_normalised_without_running_statistics(dtype):
    assert_trains_without_statistics(norm_relu_pool, plain, 8, dtype)


def test_a_variance_is_never_negative(dtype):
    assert_a_constant_channel_has_no_negative_variance(norm_relu_pool, 8, dtype)


def test_unusual_parameters_are_read_as_they_are(dtype):
    assert_unusual_parameters_are_read_as_they_are(norm_relu_pool, plain, 8, dtype)


def test_under_function_transforms_the_layers_are_used(dtype):
    assert_works_under_function_transforms(norm_relu_pool, plain, 8, dtype)
