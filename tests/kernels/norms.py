"""What is asked of a pass that a normalisation is fused into: to be as its layers in float64."""

import copy

import torch
from torch import nn

CLOSE = {
    torch.bfloat16: {"rtol": 1e-2, "atol": 2e-2},
    torch.float32: {"rtol": 1e-5, "atol": 2e-5},
}
EXACT = {
    torch.bfloat16: {"rtol": 1e-4, "atol": 1e-4},
    torch.float32: {"rtol": 1e-5, "atol": 2e-5},
}
"""Parameters and statistics are summed in more than bfloat16."""


def layer(channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(channels, generator=generator))
        norm.bias.copy_(torch.randn(channels, generator=generator))
        norm.running_mean.copy_(torch.randn(channels, generator=generator))
        norm.running_var.copy_(torch.rand(channels, generator=generator) + 0.5)
    return norm


def images(dtype, channels, height, width, batch=6, seed=1, scale=1.0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(batch, channels, height, width, generator=generator) * scale + offset
    return drawn.to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()


def in_float64(plain, x, norm, *more):
    """Leaf, layer and result of the plain layers."""
    norm = copy.deepcopy(norm).double()
    x = x.detach().double().requires_grad_()
    return x, norm, plain(x, norm, *more)


def assert_trains_alike(fused, plain, x, norm, pool, exact=None):
    """Result, gradients and statistics of one pass in training mode."""
    wanted_x, wanted_norm, wanted = in_float64(plain, x, norm, pool)
    out = fused(x, norm, pool)
    assert out.grad_fn.name() == "_TrainingBackward", "the kernels were not used"
    gradient = torch.randn(out.shape, generator=torch.Generator().manual_seed(2)).to(x.dtype)
    close, exact = CLOSE[x.dtype], exact or EXACT[x.dtype]
    out.backward(gradient)
    wanted.backward(gradient.double())
    assert out.dtype == x.dtype
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out.double(), wanted, **close)
    torch.testing.assert_close(x.grad.double(), wanted_x.grad, **close)
    torch.testing.assert_close(norm.weight.grad.double(), wanted_norm.weight.grad, **exact)
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad, **exact)
    torch.testing.assert_close(norm.running_mean.double(), wanted_norm.running_mean, **exact)
    torch.testing.assert_close(norm.running_var.double(), wanted_norm.running_var, **exact)
    assert norm.num_batches_tracked == wanted_norm.num_batches_tracked == 1


def assert_predicts_alike(fused, plain, x, norm, pool):
    """Evaluation takes the running statistics and leaves them."""
    x, norm = x.detach(), norm.eval()
    _, same, wanted = in_float64(plain, x, norm, pool)
    with torch.inference_mode():
        out = fused(x, norm, pool)
    torch.testing.assert_close(out.double(), wanted.detach(), **CLOSE[x.dtype])
    assert torch.equal(norm.running_mean.double(), same.running_mean)


def assert_large_means_do_not_cancel(fused, plain, channels, dtype):
    x, norm = images(dtype, channels, 4, 4, scale=1.0, offset=1000.0), layer(channels)
    _, wanted_norm, wanted = in_float64(plain, x, norm, False)
    # A thousand times the rounding of float32 at least: slope and shift are of that size.
    close = CLOSE[dtype] if dtype is torch.bfloat16 else {"rtol": 1e-3, "atol": 1e-3}
    torch.testing.assert_close(fused(x, norm, False).double(), wanted, **close)
    torch.testing.assert_close(norm.running_var.double(), wanted_norm.running_var, **EXACT[dtype])


def assert_same_bits_again(fused, height, dtype):
    """With as many threads the same pass gives the same numbers."""
    results = []
    for _ in range(2):
        x, norm = images(dtype, 32, height, 8), layer(32)
        out = fused(x, norm, True)
        out.float().square().sum().backward()
        results.append((out.detach(), x.grad, norm.weight.grad, norm.running_var))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
