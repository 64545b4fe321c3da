"""Layers of many networks at once are the layers of each."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from unskew.training.replicas.joint.convolution import Convolution
from unskew.training.replicas.joint.lstm import LSTM
from unskew.training.replicas.joint.norm import Norm
from unskew.training.replicas.replicas import COUNTER

RUNS = 3
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def first(output):
    return output[0] if isinstance(output, tuple) else output


def by_name(tensors):
    return {
        name: torch.stack([dict(t)[name].detach() for t in tensors]) for name in dict(tensors[0])
    }


def together(layer, layers, inputs):
    """The outputs of all, and their parameters and buffers side by side.

    `layer`: the joint one; `layers`: those of each run, whose tensors have the same names.
    """
    parameters = by_name([list(own.named_parameters()) for own in layers])
    buffers = (
        by_name([list(own.named_buffers()) for own in layers]) if list(layer.buffers()) else {}
    )
    for tensor in parameters.values():
        tensor.requires_grad_()

    def one(parameters, buffers, inputs):
        return first(functional_call(layer, (parameters, buffers), (inputs,)))

    return vmap(one)(parameters, buffers, inputs), parameters, buffers


def assert_same(make, joint, shape, device, centre=0.0, layout=torch.contiguous_format):
    """Outputs, gradients and buffers of `joint(make())` are those of R such layers."""
    torch.manual_seed(0)
    layers = [make().to(device) for _ in range(RUNS)]
    for layer in layers:
        for name, parameter in layer.named_parameters():
            if name == "weight" and parameter.dim() == 1:
                nn.init.normal_(parameter)
    inputs = [
        (torch.randn(shape) + centre).to(device, memory_format=layout).requires_grad_()
        for _ in range(RUNS)
    ]
    stacked = torch.stack([tensor.detach() for tensor in inputs]).requires_grad_()
    found, parameters, buffers = together(
        joint(copy.deepcopy(layers[0])), copy.deepcopy(layers), stacked
    )
    expected = [first(layer(own)) for layer, own in zip(layers, inputs, strict=True)]
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(found, torch.stack(expected), **close)
    gradients = [torch.randn_like(output) for output in expected]
    for output, gradient in zip(expected, gradients, strict=True):
        output.backward(gradient)
    wanted = [stacked, *parameters.values()]
    at = torch.autograd.grad(found, wanted, torch.stack(gradients))
    torch.testing.assert_close(at[0], torch.stack([own.grad for own in inputs]), **close)
    for name, gradient in zip(parameters, at[1:], strict=True):
        right = torch.stack([layer.get_parameter(name).grad for layer in layers])
        scale = float(right.abs().max())
        torch.testing.assert_close(gradient, right, rtol=1e-4, atol=1e-5 * max(scale, 1))
    for name, buffer in buffers.items():
        if name == COUNTER:  # the loop counts for all norms at once
            continue
        right = torch.stack([layer.get_buffer(name) for layer in layers])
        torch.testing.assert_close(buffer, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1, "bias": False},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": (1, 3), "dilation": 2, "groups": 2},
    ],
    ids=str,
)
def test_convolution(settings, layout, device):
    torch.backends.cudnn.allow_tf32 = False
    assert_same(
        lambda: nn.Conv2d(4, 6, **settings), Convolution, (5, 4, 9, 8), device, layout=layout
    )


class NormAndReLU(nn.Sequential):
    """Its parameters have the names that the norm's have by itself."""

    def forward(self, values):
        return self[0](values).relu()

    def named_parameters(self, *arguments, **options):
        return self[0].named_parameters(*arguments, **options)

    def named_buffers(self, *arguments, **options):
        return self[0].named_buffers(*arguments, **options)

    def get_parameter(self, target):
        return self[0].get_parameter(target)

    def get_buffer(self, target):
        return self[0].get_buffer(target)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 4, 3)], ids=str)
def test_norm(shape, relu, device):
    plain = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    if relu:
        assert_same(
            lambda: NormAndReLU(plain(5)), lambda both: Norm(both[0], True), shape, device, 30.0
        )
    else:
        assert_same(lambda: plain(5), Norm, shape, device, 30.0)


@pytest.mark.parametrize("relu", [False, True])
def test_norm_in_evaluation(relu):
    norms = [nn.BatchNorm2d(5) for _ in range(RUNS)]
    for norm in norms:
        norm(torch.randn(8, 5, 4, 4) + 3)
        norm.eval()
    values = torch.randn(RUNS, 2, 5, 4, 4)
    with torch.no_grad():
        found, *_ = together(Norm(norms[0], relu).eval(), norms, values)
        expected = torch.stack([norm(own) for norm, own in zip(norms, values, strict=True)])
    torch.testing.assert_close(found, expected.relu() if relu else expected)


def test_the_norm_rounds_once():
    norm = nn.BatchNorm2d(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.001, -0.7, 3.3]))
        norm.bias.copy_(torch.tensor([0.01, 20.1, -5.05]))
    values = torch.randn(1, 4, 3, 5, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    (found,), *_ = together(Norm(norm), [norm], values)
    expected = norm(values[0].float())
    assert found.dtype == torch.bfloat16
    # A fused product and sum may fall to the other side of a rounding, and no further.
    torch.testing.assert_close(found.float(), expected, rtol=2**-8, atol=1e-6)
    assert (found == expected.bfloat16()).float().mean() > 0.98


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("settings", [{"batch_first": True}, {"num_layers": 2}], ids=str)
def test_lstm(settings, device):
    torch.backends.cudnn.allow_tf32 = False
    assert_same(lambda: nn.LSTM(6, 8, **settings), LSTM, (4, 5, 6), device)


def test_images_that_all_see_are_not_repeated_in_memory():
    layers = [nn.Conv2d(3, 4, 3) for _ in range(RUNS)]
    seen = []
    handle = torch.ops.aten.convolution

    class Watched(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is handle.default:
                seen.append(args[0].untyped_storage().data_ptr())
            return func(*args, **(kwargs or {}))

    images = torch.randn(2, 3, 8, 8)
    parameters = by_name([list(layer.named_parameters()) for layer in layers])
    joint = Convolution(copy.deepcopy(layers[0]))
    with torch.no_grad(), Watched():
        found = vmap(lambda own: functional_call(joint, own, (images,)))(parameters)
    for output, layer in zip(found, layers, strict=True):
        torch.testing.assert_close(output, layer(images))
    assert len(seen) == RUNS
    assert len(set(seen)) == 1


def test_in_bfloat16_gradients_of_weights_are_summed_over_the_steps_in_float32():
    """The error is that of `nn.LSTM`; rounded step by step they would leave half as much more."""
    torch.manual_seed(0)
    plain = nn.LSTM(24, 64, batch_first=True)
    inputs, gradient = torch.randn(50, 32, 24), torch.randn(50, 32, 64)
    exact = copy.deepcopy(plain).double()
    exact(inputs.double())[0].backward(gradient.double())
    network = LSTM(copy.deepcopy(plain))
    weights = {
        name: own.detach().bfloat16()[None].requires_grad_()
        for name, own in network.named_parameters()
    }
    outputs = vmap(lambda own, shown: functional_call(network, own, (shown,))[0])(
        weights, inputs.bfloat16()[None]
    )
    at = torch.autograd.grad(outputs, list(weights.values()), gradient.bfloat16()[None])
    for name, found in zip(weights, at, strict=True):
        right = exact.get_parameter(name).grad
        apart = (found[0].double() - right).norm() / right.norm()
        assert apart < 0.006, name
