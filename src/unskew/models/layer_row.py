"""One line of the table that `unskew.models.summary` makes of a network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerRow:
    """One layer.

    Attributes
    ----------
    name: path of the module within the network.
    kind: the layer in the words of the field, "Conv2d 3×3", "LSTM, 2 layers".
    output_shape: of one image's activation, without the batch dimension.
    parameters: trainable numbers.
    multiply_adds: of one forward pass of one image; products only, additions of biases, norms
        and activations are not counted.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
