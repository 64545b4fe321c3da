"""A table of a network's layers, measured on the live network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unskew.models.base import Network
from unskew.models.layer_row import LayerRow


def summarise(network: Network, image_shape: tuple[int, int, int] = (32, 32, 3)) -> list[LayerRow]:
    """The layers in the order they ran on one image.

    Parameters
    ----------
    network: any network; its weights, mode and statistics are left as they were. One on the
        device "meta" is measured without the memory that its weights and activations would take.
    image_shape: (height, width, channels), as `ImageSet.image_shape`.
    """
    rows: list[LayerRow] = []
    handles = [
        module.register_forward_hook(_recorder(name, rows))
        for name, module in network.named_modules()
        if not list(module.children())
    ]
    modes = [(module, module.training) for module in network.modules()]
    fused, network.fused = network.fused, False  # its kernels pass the layers by
    parameter = next(network.parameters())
    height, width, channels = image_shape
    try:
        network.eval()
        with torch.no_grad():
            network(
                torch.zeros(
                    1, channels, height, width, dtype=parameter.dtype, device=parameter.device
                )
            )
    finally:
        network.fused = fused
        for module, training in modes:
            module.training = training
        for handle in handles:
            handle.remove()
    return rows


def _recorder(name: str, rows: list[LayerRow]):  # type: ignore[no-untyped-def]
    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output
        assert isinstance(first, Tensor)
        rows.append(
            LayerRow(
                name,
                _kind(module),
                tuple(first.shape[1:]) if first.dim() > 1 else (),
                sum(parameter.numel() for parameter in module.parameters()),
                _multiply_adds(module, inputs[0], first),
            )
        )

    return record


def _kind(module: nn.Module) -> str:
    match module:
        case nn.Conv2d():
            height, width = module.kernel_size
            stride = f", stride {module.stride[0]}" if module.stride[0] != 1 else ""
            return f"Conv2d {height}×{width}{stride}"
        case nn.MaxPool2d():
            return f"MaxPool2d {module.kernel_size}×{module.kernel_size}"
        case nn.LSTM():
            return f"LSTM, {module.num_layers} layers"
        case _:
            return type(module).__name__


def _multiply_adds(module: nn.Module, images: Tensor, output: Tensor) -> int:
    match module:
        case nn.Conv2d():
            height, width = module.kernel_size
            per_output = module.in_channels // module.groups * height * width
            return output[0].numel() * per_output
        case nn.Linear():
            return module.in_features * output[0].numel()
        case nn.LSTM():
            # Four gates, each a product of the step's input and of the last state.
            # All that is not the width of a row: one image is shown, whatever is taken for time.
            steps = images.shape[0] * images.shape[1]
            hidden = module.hidden_size
            widths = [module.input_size] + [hidden] * (module.num_layers - 1)
            return steps * sum(4 * hidden * (width + hidden) for width in widths)
        case _:
            return 0
