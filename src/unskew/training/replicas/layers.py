"""The network of one run in a form that `torch.func.vmap` takes over many at once."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from unskew.models.base import Network
from unskew.training.replicas.joint.convolution import Convolution
from unskew.training.replicas.joint.lstm import LSTM
from unskew.training.replicas.joint.norm import Norm


def vmappable(network: nn.Module) -> nn.Module:
    """A copy of the network, its parameters and buffers under the same names."""
    made = copy.deepcopy(network)
    assert isinstance(made, Network)
    made.fused = False  # the package's own kernels know one network at a time
    for module in list(made.modules()):
        children = [*module.named_children(), ("", nn.Identity()), ("", nn.Identity())]
        for (name, child), (second, act), (third, pool) in zip(
            children, children[1:], children[2:], strict=False
        ):
            if isinstance(child, _BatchNorm):
                joined = isinstance(module, nn.Sequential) and isinstance(act, nn.ReLU)
                pooled = joined and isinstance(pool, nn.MaxPool2d) and pool.kernel_size == 2
                setattr(module, name, Norm(child, joined, pooled))
                for spared in [second] * joined + [third] * pooled:
                    setattr(module, spared, nn.Identity())
            elif isinstance(child, nn.Conv2d):
                setattr(module, name, Convolution(child))
            elif isinstance(child, nn.LSTM):
                setattr(module, name, LSTM(child))
    return made


def names_in_float32(network: nn.Module) -> frozenset[str]:
    """Parameters and buffers of a `vmappable` network that stay float32: those of its norms."""
    return frozenset(
        f"{path}.{name}"
        for path, module in network.named_modules()
        if isinstance(module, Norm)
        for name, _ in (*module.named_parameters(), *module.named_buffers())
    )
