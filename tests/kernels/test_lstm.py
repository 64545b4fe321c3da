"""The fused LSTM against PyTorch's in float64, and against its rounding."""

import copy

import pytest
import torch
from torch import nn

from tests.kernels.formats import multiplying
from tests.kernels.rows import assert_rows_stand_alone
from unskew.kernels.lstm import lstm

KERNELS = ("lstm",)


def layers(width, units, depth=2, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.LSTM(width, units, num_layers=depth, batch_first=True)


def sequences(batch, steps, width, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, steps, width, generator=generator)


def gradients(module, x, gradient, run):
    x = x.clone().requires_grad_()
    out = run(x, module)
    if run is lstm:
        assert "_LayerBackward" in str(names_behind(out)), "the kernels were not used"
    out.backward(gradient.to(out.dtype))
    return [out.detach(), x.grad, *(p.grad for p in module.parameters())]


def names_behind(out):
    """Of the first few operations that a tensor comes from."""
    step, names = out.grad_fn, []
    while step is not None and len(names) < 4:
        names.append(step.name())
        step = step.next_functions[0][0] if step.next_functions else None
    return names


def distance(found, wanted):
    """Relative to the size of what is wanted."""
    size = wanted.double().norm().clamp_min(1e-300)  # of one step, W_hh's gradient is 0
    return float((found.double() - wanted.double()).norm() / size)


@pytest.mark.parametrize(
    ("batch", "steps", "width", "units", "depth"),
    [
        (7, 5, 24, 64, 2),
        (13, 3, 2, 128, 1),
        (1, 1, 96, 64, 2),
        (6, 4, 64, 64, 3),
        (71, 9, 7, 192, 2),
    ],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_as_near_to_float64_as_pytorch(dtype, batch, steps, width, units, depth, threads):
    module, x = layers(width, units, depth), sequences(batch, steps, width)
    gradient = sequences(batch, steps, units, seed=2)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with multiplying(dtype):
            ours = gradients(copy.deepcopy(module), x, gradient, lstm)
            theirs = gradients(copy.deepcopy(module), x, gradient, lambda x, m: m(x)[0])
    finally:
        torch.set_num_threads(before)
    exact = gradients(
        copy.deepcopy(module).double(), x.double(), gradient.double(), lambda x, m: m(x)[0]
    )
    assert ours[0].dtype == dtype
    for found, peer, wanted in zip(ours, theirs, exact, strict=True):
        assert found.shape == wanted.shape
        # A few times the rounding of one number, which is 2**-8 in bfloat16.
        least = 2**-7 if dtype is torch.bfloat16 else 2e-6
        assert distance(found, wanted) < max(1.5 * distance(peer, wanted), least)


def test_extreme_inputs_stay_finite(dtype):
    module = layers(8, 64)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(100)
    x = sequences(4, 6, 8) * 1e4
    with multiplying(dtype):
        out, *grads = gradients(module, x, torch.ones(4, 6, 64), lstm)
    assert out.isfinite().all()
    assert out.abs().max() <= 1
    assert all(gradient.isfinite().all() for gradient in grads)


def test_what_is_not_a_number_shows(dtype):
    x = sequences(4, 3, 8)
    x[2, 1, 5] = float("nan")
    with multiplying(dtype), torch.no_grad():
        out = lstm(x, layers(8, 64))
    assert out[2, 1:].isnan().all()
    assert out[[0, 1, 3]].isfinite().all()
    assert out[2, 0].isfinite().all()


def test_prediction_equals_training_bit_for_bit(dtype):
    module, x = layers(24, 64), sequences(9, 5, 24)
    with multiplying(dtype):
        trained = lstm(x, module).detach()
        with torch.inference_mode():
            predicted = lstm(x, module)
    assert torch.equal(trained, predicted)


def test_rows_do_not_depend_on_each_other_or_on_threads(dtype):
    module, x = layers(24, 64), sequences(9, 5, 24)
    with multiplying(dtype), torch.no_grad():
        assert_rows_stand_alone(lambda part: lstm(part, module), x)


@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0"])
def test_strided_weights_are_read_as_they_are(dtype, name):
    module, x = layers(64, 64), sequences(3, 5, 64)
    strided = copy.deepcopy(module)
    weight = getattr(module, name)
    setattr(strided, name, nn.Parameter(weight.detach().t().contiguous().t()))
    gradient = sequences(3, 5, 64, seed=2)
    with multiplying(dtype):
        wanted = gradients(module, x, gradient, lstm)
        found = gradients(strided, x, gradient, lstm)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("at_first", ["", "no-tiles"])
def test_the_kernels_of_the_forward_pass_do_the_backward_as_well(dtype, monkeypatch, at_first):
    module, x = layers(24, 64), sequences(9, 5, 24)
    with multiplying(dtype):
        monkeypatch.setenv("UNSKEW_KERNELS", at_first)
        wanted = torch.autograd.grad(lstm(x, module).sum(), [*module.parameters()])
        out = lstm(x, module)
        monkeypatch.setenv("UNSKEW_KERNELS", "" if at_first else "no-tiles")
        found = torch.autograd.grad(out.sum(), [*module.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_defaults_of_pytorch_do_not_matter(dtype):
    module, x, gradient = layers(24, 64), sequences(9, 5, 24), sequences(9, 5, 64, seed=2)
    with multiplying(dtype):
        wanted = gradients(copy.deepcopy(module), x, gradient, lstm)
        torch.set_default_dtype(torch.float64)
        try:
            with torch.device("meta"):
                found = gradients(copy.deepcopy(module), x, gradient, lstm)
        finally:
            torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_no_sequences_at_all_and_a_graph_that_is_kept(dtype):
    module = layers(24, 64)
    with multiplying(dtype):
        empty = lstm(sequences(0, 5, 24), module)
        empty.sum().backward()
        assert empty.shape == (0, 5, 64)
        assert all(not p.grad.any() for p in module.parameters())
        out = lstm(sequences(9, 5, 24), module).sum()
        first = torch.autograd.grad(out, [*module.parameters()], retain_graph=True)
        second = torch.autograd.grad(out, [*module.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_same_bits_again(dtype):
    module, x, gradient = layers(24, 64), sequences(9, 5, 24), sequences(9, 5, 64, seed=2)
    with multiplying(dtype):
        first = gradients(copy.deepcopy(module), x, gradient, lstm)
        second = gradients(copy.deepcopy(module), x, gradient, lstm)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "module",
    [
        nn.LSTM(8, 60, batch_first=True),
        nn.LSTM(8, 64, batch_first=True, bias=False),
        nn.LSTM(8, 64, batch_first=True, bidirectional=True),
    ],
    ids=["units", "no bias", "two ways"],
)
def test_what_the_kernels_cannot_do_is_left_to_pytorch(dtype, module):
    x = sequences(3, 4, module.input_size)
    with multiplying(dtype), torch.no_grad():
        assert torch.equal(lstm(x, module), module(x)[0])


def test_a_network_of_another_format_is_left_to_pytorch():
    module, x = layers(8, 64).double(), sequences(3, 4, 8).double()
    with torch.no_grad():
        assert torch.equal(lstm(x, module), module(x)[0])


def test_rows_of_another_length_are_refused_as_pytorch_refuses_them(dtype):
    with multiplying(dtype), pytest.raises(RuntimeError, match="input"):
        lstm(sequences(2, 3, 20), layers(24, 64))


def test_every_parameter_must_be_of_the_format_that_kernels_read(dtype):
    """PyTorch refuses such a mixture, and so it is refused rather than misread."""
    module, x = layers(24, 64), sequences(3, 5, 24)
    module.weight_hh_l0 = nn.Parameter(module.weight_hh_l0.detach().double())
    with torch.no_grad(), pytest.raises((RuntimeError, ValueError)):
        lstm(x, module)


def test_under_function_transforms_the_layers_are_used(dtype):
    module, x = layers(24, 64), sequences(3, 5, 24)
    with multiplying(dtype), torch.no_grad():
        found = torch.func.grad(lambda seen: lstm(seen, module).float().square().sum())(x)
        wanted = torch.func.grad(lambda seen: module(seen)[0].float().square().sum())(x)
    assert torch.equal(found, wanted)
