"""Convolutions against the definition in float64, and against PyTorch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.kernels.formats import multiplying
from tests.kernels.rows import assert_rows_stand_alone
from unskew.kernels.convolution import channels_at_once, convolve

KERNELS = ("convolution", "convolution_gradient")


def layer(incoming, outgoing, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Conv2d(incoming, outgoing, 3, padding=1, bias=False)


def images(dtype, batch, channels, height, width, seed=1):
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(batch, channels, height, width, generator=generator)
    return made.to(dtype).to(memory_format=torch.channels_last)


def both_ways(run, module, x, gradient):
    """The result and both gradients."""
    module, x = copy.deepcopy(module), x.clone().requires_grad_()
    out = run(x, module)
    assert run is plain or out.grad_fn.name() == "_ConvolutionBackward", "the kernels were not used"
    out.backward(gradient.to(out.dtype))
    return [out.detach(), x.grad, module.weight.grad]


def distance(found, wanted):
    """Relative to the size of what is wanted."""
    return float((found.double() - wanted).norm() / wanted.norm())


def plain(x, module):
    return module(x)


SIZES = [
    (3, 32, 32, 32, 32),
    (5, 64, 32, 7, 9),
    (2, 32, 64, 15, 15),
    (4, 128, 128, 8, 8),
    (3, 64, 128, 6, 10),
    (2, 32, 32, 1, 1),
    (2, 32, 32, 1, 5),
    (1, 96, 160, 3, 2),
    (3, 24, 64, 9, 7),
    (2, 56, 32, 5, 6),
    (2, 32, 32, 40, 150),
    (2, 16, 48, 9, 7),
    (150, 32, 32, 32, 32),
    (20, 32, 64, 16, 3),  # small images are taken nine at a time, and then the two that remain
    (9, 32, 32, 15, 15),
    (2, 64, 96, 90, 70),  # some rows at a time
]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_near_to_the_definition_in_float64(dtype, size, threads):
    batch, incoming, outgoing, height, width = size
    if incoming % channels_at_once(dtype) * 2 == channels_at_once(dtype):
        pytest.skip("so few channels are left to PyTorch")
    module, x = layer(incoming, outgoing), images(dtype, batch, incoming, height, width)
    gradient = images(dtype, batch, outgoing, height, width, seed=2)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with multiplying(dtype):
            ours = both_ways(convolve, module, x, gradient)
    finally:
        torch.set_num_threads(before)
    exact = both_ways(plain, copy.deepcopy(module).double(), x.double(), gradient.double())
    assert ours[0].dtype == dtype
    # Three roundings of 2**-9 at most each, of both transforms and of the result; in float32 tiles
    # are larger and sums of the filters' gradient cancel.
    bounds = [3 * 2**-9] * 3 if dtype is torch.bfloat16 else [5e-6, 5e-6, 5e-5]
    for found, wanted, bound in zip(ours, exact, bounds, strict=True):
        assert found.shape == wanted.shape
        assert distance(found, wanted) < bound


def test_small_whole_numbers_come_out_exactly(dtype):
    # Sums of four small whole numbers, and their quarters, need no rounding; in float32 there are
    # thirds as well.
    module, generator = layer(32, 32), torch.Generator().manual_seed(0)
    module.weight.data = 4.0 * torch.randint(-2, 3, module.weight.shape, generator=generator)
    x = torch.zeros(2, 32, 9, 12)
    x[:, ::8] = torch.randint(-4, 5, (2, 4, 9, 12), generator=generator).float()
    with multiplying(dtype), torch.no_grad():
        found = convolve(x, module)
    if dtype is torch.float32:
        found = found.round(decimals=2)
    assert torch.equal(found, module(x).detach().to(dtype))


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 3),
    incoming=st.sampled_from([32, 64]),
    outgoing=st.sampled_from([32, 96]),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_gradients_are_the_transposes_of_the_forward_pass(
    dtype, batch, incoming, outgoing, height, width, seed
):
    """⟨conv(x, w), d⟩ = ⟨x, dx⟩ = ⟨w, dw⟩, up to rounding."""
    module = layer(incoming, outgoing, seed)
    x = images(dtype, batch, incoming, height, width, seed)
    gradient = images(dtype, batch, outgoing, height, width, seed + 1)
    with multiplying(dtype):
        out, dx, dw = both_ways(convolve, module, x, gradient)
    tolerance = 0.02 if dtype is torch.bfloat16 else 1e-5
    scale = float(out.double().norm() * gradient.double().norm())
    forward = float((out.double() * gradient.double()).sum())
    assert float((x.double() * dx.double()).sum()) == pytest.approx(forward, abs=tolerance * scale)
    weights = float((module.weight.detach().double() * dw.double()).sum())
    assert weights == pytest.approx(forward, abs=tolerance * scale)


def test_what_is_not_a_number_shows_nearby_only(dtype):
    x = images(dtype, 2, 32, 12, 12)
    x[1, 5, 6, 6] = float("nan")
    with multiplying(dtype), torch.no_grad():
        out = convolve(x, layer(32, 32))
    assert out[1, :, 5:8, 5:8].isnan().all()
    assert out[0].isfinite().all()
    assert out[1, :, :4].isfinite().all()


def test_images_do_not_depend_on_each_other_or_on_threads(dtype):
    module, x = layer(32, 64), images(dtype, 5, 32, 8, 8)
    with multiplying(dtype), torch.no_grad():
        assert_rows_stand_alone(lambda part: convolve(part, module), x)


def test_same_bits_again_and_in_prediction(dtype):
    module, x, gradient = (
        layer(64, 32),
        images(dtype, 3, 64, 8, 8),
        images(dtype, 3, 32, 8, 8, seed=2),
    )
    with multiplying(dtype):
        first = both_ways(convolve, module, x, gradient)
        second = both_ways(convolve, module, x, gradient)
        with torch.inference_mode():
            predicted = convolve(x, module)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(first[0], predicted)


def test_any_layout_of_memory(dtype):
    module, x = layer(32, 32), images(dtype, 3, 32, 8, 8)
    gradient = images(dtype, 3, 32, 8, 8, seed=2)
    with multiplying(dtype):
        wanted = both_ways(convolve, module, x, gradient)
        last = copy.deepcopy(module).to(memory_format=torch.channels_last)
        strided = both_ways(convolve, last, x.contiguous(), gradient.contiguous())
    assert all(torch.equal(a, b) for a, b in zip(wanted, strided, strict=True))


def test_only_the_gradients_that_are_wanted(dtype):
    module, x = layer(32, 32), images(dtype, 2, 32, 4, 4).requires_grad_()
    module.weight.requires_grad_(False)
    with multiplying(dtype):
        convolve(x, module).sum().backward()
    assert x.grad is not None
    assert module.weight.grad is None
    module.weight.requires_grad_(True)
    with multiplying(dtype):
        convolve(x.detach(), module).sum().backward()
    assert module.weight.grad is not None


def test_strided_weights_are_read_as_they_are(dtype):
    module, x = layer(32, 64), images(dtype, 2, 32, 8, 8)
    with multiplying(dtype), torch.no_grad():
        wanted = convolve(x, module)
        turned = module.weight.transpose(0, 1).contiguous().transpose(0, 1)
        module.weight = nn.Parameter(turned)
        assert torch.equal(convolve(x, module), wanted)


@pytest.mark.parametrize("at_first", ["", "no-tiles"])
def test_the_kernels_of_the_forward_pass_do_the_backward_as_well(dtype, monkeypatch, at_first):
    module, x = layer(32, 32), images(dtype, 2, 32, 8, 8).requires_grad_()
    with multiplying(dtype):
        monkeypatch.setenv("UNSKEW_KERNELS", at_first)
        wanted = torch.autograd.grad(convolve(x, module).sum(), [x, module.weight])
        out = convolve(x, module)
        monkeypatch.setenv("UNSKEW_KERNELS", "" if at_first else "no-tiles")
        found = torch.autograd.grad(out.sum(), [x, module.weight])
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_defaults_of_pytorch_do_not_matter(dtype):
    module, x = layer(32, 32), images(dtype, 2, 32, 8, 8)
    gradient = images(dtype, 2, 32, 8, 8, seed=2)
    with multiplying(dtype):
        wanted = both_ways(convolve, module, x, gradient)
        torch.set_default_dtype(torch.float64)
        try:
            with torch.device("meta"):
                found = both_ways(convolve, module, x, gradient)
        finally:
            torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("size", [(0, 32, 8, 8), (2, 32, 8, 0), (2, 32, 0, 8)], ids=str)
def test_nothing_at_all_is_done_or_refused_as_pytorch_does(dtype, size):
    module, x = layer(32, 32), torch.zeros(size, dtype=dtype)
    with multiplying(dtype), torch.no_grad():
        try:
            wanted = module(x)
        except RuntimeError:
            with pytest.raises(RuntimeError):
                convolve(x, module)
        else:
            assert convolve(x, module).shape == wanted.shape


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(10, 32, 3, padding=1, bias=False),
        nn.Conv2d(32, 44, 3, padding=1, bias=False),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.Conv2d(32, 32, 3, bias=False),
        nn.Conv2d(32, 32, 3, padding=1, stride=2, bias=False),
        nn.Conv2d(32, 32, 3, padding=1, groups=2, bias=False),
        nn.Conv2d(32, 32, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(32, 32, 3, padding=1, padding_mode="reflect", bias=False),
        nn.Conv2d(32, 32, 1, bias=False),
    ],
    ids=["in", "out", "bias", "padding", "stride", "groups", "dilation", "mode", "1x1"],
)
def test_what_the_kernels_cannot_do_is_left_to_pytorch(dtype, module):
    x = images(dtype, 2, module.in_channels, 8, 8)
    with multiplying(dtype), torch.no_grad():
        assert torch.equal(convolve(x, module), module(x))


@pytest.mark.parametrize("other", [torch.bfloat16, torch.float64])
def test_a_network_of_another_format_is_left_to_pytorch(other):
    module, x = layer(32, 32).to(other), images(other, 2, 32, 8, 8)
    with torch.no_grad():
        assert torch.equal(convolve(x, module), F.conv2d(x, module.weight, padding=1))


def test_under_function_transforms_the_layers_are_used(dtype):
    module, x = layer(32, 32), images(torch.float32, 2, 32, 8, 8).detach()
    with multiplying(dtype), torch.no_grad():
        found = torch.func.grad(lambda seen: convolve(seen, module).float().square().sum())(x)
        wanted = torch.func.grad(lambda seen: module(seen).float().square().sum())(x)
    assert torch.equal(found, wanted)
