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


def assert_trains_without_statistics(fused, plain, channels, dtype):
    """By the batch's statistics alone, as in the second pass of sharpness-aware minimisation."""
    x, norm = images(dtype, channels, 4, 4), layer(channels)
    before = copy.deepcopy(norm.state_dict())
    norm.track_running_stats = False
    _, wanted_norm, wanted = in_float64(plain, x, norm, False)
    out = fused(x, norm, False)
    assert out.grad_fn.name() == "_TrainingBackward", "the kernels were not used"
    out.sum().backward()
    wanted.sum().backward()
    torch.testing.assert_close(out.double(), wanted, **CLOSE[dtype])
    torch.testing.assert_close(norm.bias.grad.double(), wanted_norm.bias.grad, **CLOSE[dtype])
    assert all(torch.equal(now, before[name]) for name, now in norm.state_dict().items())
    none = nn.BatchNorm2d(channels, track_running_stats=False)
    for mode in (none.train(), none.eval()):
        torch.testing.assert_close(
            fused(x, mode, False).double(), plain(x.double(), mode.double(), False), **CLOSE[dtype]
        )
        none.float()


def assert_a_constant_channel_has_no_negative_variance(fused, channels, dtype):
    """Half a million values alike and far from the first, where rounding decides the sign."""
    x = torch.full((512, 32, 32, channels), 0.1, dtype=dtype).permute(0, 3, 1, 2)
    for far in (100.0, 30000.0):
        x[0, :, 0, 0] = far
        norm = nn.BatchNorm2d(channels, momentum=1.0)
        assert fused(x, norm, False).isfinite().all()
        assert (norm.running_var >= 0).all()


def assert_unusual_parameters_are_read_as_they_are(fused, plain, channels, dtype):
    """Strided or repeated: a kernel that took their address would read others."""
    x = images(dtype, channels, 4, 4).detach()
    for name in ("weight", "bias", "running_mean", "running_var"):
        for change in (
            lambda tensor: tensor[:1].expand(channels),
            lambda tensor: tensor.repeat_interleave(2)[::2],
        ):
            norm = layer(channels)
            changed = change(getattr(norm, name).detach())
            setattr(norm, name, nn.Parameter(changed) if name in ("weight", "bias") else changed)
            for mode in (norm.eval(), norm.train()):
                if mode.training and name.startswith("running") and 0 in changed.stride():
                    continue  # PyTorch refuses to write where values share memory
                wanted = plain(x.double(), copy.deepcopy(mode).double(), False)
                with torch.no_grad():
                    torch.testing.assert_close(
                        fused(x, mode, False).double(), wanted, **CLOSE[dtype]
                    )


def assert_works_under_function_transforms(fused, plain, channels, dtype):
    """`torch.func` hands over tensors that lie nowhere in memory."""
    x, norm = images(dtype, channels, 4, 4).detach(), layer(channels).eval()
    with torch.no_grad():
        wanted = torch.func.grad(lambda seen: plain(seen, norm, False).float().square().sum())(x)
        found = torch.func.grad(lambda seen: fused(seen, norm, False).float().square().sum())(x)
    torch.testing.assert_close(found, wanted)
