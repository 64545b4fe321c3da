"""What a training step has to do, whoever writes it: multiply-adds and bytes, counted by layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn

from unskew.models.base import Network
from unskew.models.registry import build
from unskew.models.summary import summarise

IMAGE = (32, 32, 3)
WORDS_PER_WEIGHT = 8
"""Float32 words that one step of SGD with momentum moves for each weight: the weight read by the
forward and the backward pass, its gradient written and read, the weight and its momentum read and
written."""


@dataclass(frozen=True)
class Work:
    """Of one image, or one step where it says so.

    Attributes
    ----------
    forward, backward: multiply-adds of all products.
    moved: numbers in the format of the products that pass between layers, writing and reading
        each counted.
    kept: numbers that the forward pass leaves for the backward pass.
    weights: trainable parameters, which are read and moved once a step.
    """

    forward: int
    backward: int
    moved: int
    kept: int
    weights: int

    @property
    def products(self) -> int:
        """Multiply-adds of one image, forward and backward."""
        return self.forward + self.backward

    def bytes_moved(self, width: int, batch: int) -> float:
        """Bytes of one image: its pixels, what passes between layers, its share of the weights.

        Parameters
        ----------
        width: bytes of a number in the format of the products.
        """
        pixels = 2 * prod(IMAGE)  # uint8, read forward and for the first layer's gradient
        return pixels + self.moved * width + self.weights * WORDS_PER_WEIGHT * 4 / batch


def work(model: str) -> Work:
    """Count a network of `unskew.models` on 32×32 images and ten classes.

    Products are counted as they are defined: a shortcut such as Winograd's would need fewer. Left
    out is what no training needs: the gradient with respect to the images, and an LSTM's products
    with the zeros that it starts from.

    A layer's outputs are counted as written once, read once forward by the next (which can
    normalise and pool as it reads) and once more backward; the gradient with respect to its
    inputs as written once and read once. A whole batch lies between writing and reading, so no
    arrangement of the loops can keep them in registers.
    """
    network = build(model, 10)
    forward = backward = moved = kept = 0
    first = True
    sizes = _sizes(network)
    for row in summarise(network, IMAGE):
        if not row.multiply_adds:
            continue
        module, (inputs, outputs) = network.get_submodule(row.name), sizes[row.name]
        once = row.multiply_adds
        handed_down = 0 if first else inputs  # numbers of the gradient with respect to the input
        spared = 0
        if isinstance(module, nn.LSTM):
            # Four gates a unit from nothing: the state before the first step is zero.
            once -= module.num_layers * 4 * module.hidden_size**2
            spared = 4 * module.hidden_size * inputs if first else 0
            layers = module.num_layers
            gates = 4 * outputs  # of one layer
            kept += layers * (gates + outputs)
            # Gates and their gradients, written and read; states, written and read backward;
            # between layers also read forward, and their gradients written and read.
            moved += layers * (4 * gates + 2 * outputs) + (layers - 1) * 3 * outputs
        else:
            spared = once if first else 0
            kept += outputs
            moved += 3 * outputs
        forward += once
        backward += 2 * once - spared
        moved += 2 * handed_down
        first = False
    weights = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Work(forward, backward, moved, kept, weights)


def _sizes(network: Network) -> dict[str, tuple[int, int]]:
    """(numbers in, numbers out) of each layer for one image, by its name."""
    found: dict[str, tuple[int, int]] = {}

    def recorder(name: str) -> Any:
        def record(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            found[name] = inputs[0].numel(), first.numel()

        return record

    for name, module in network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(recorder(name))
    height, width, channels = IMAGE
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, channels, height, width))
    return found
