"""Networks by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from unskew.errors import UnknownNameError, UserError
from unskew.models.base import Network

_NETWORKS = {
    "cnn": ("unskew.models.cnn", "CNN"),
    "lstm": ("unskew.models.lstm", "LSTM"),
    "lstm_misread": ("unskew.models.lstm_misread", "MisreadLSTM"),
    "resnet32": ("unskew.models.resnet", "ResNet32"),
    "whitened_cnn": ("unskew.models.whitened_cnn", "WhitenedCNN"),
}


def names() -> tuple[str, ...]:
    """The names that `build` takes."""
    return tuple(_NETWORKS)


def network_class(name: str) -> type[Network]:
    """The class behind a name.

    Raises
    ------
    UserError: no network has this name.
    """
    if name not in _NETWORKS:
        raise UnknownNameError("model", name, _NETWORKS)
    module, attribute = _NETWORKS[name]
    found: type[Network] = getattr(import_module(module), attribute)
    return found


def description(name: str) -> str:
    """The first paragraph of the network's docstring, on one line."""
    paragraph = (inspect.getdoc(network_class(name)) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def build(
    name: str, num_classes: int, image_size: int = 32, options: Mapping[str, Any] | None = None
) -> Network:
    """A freshly initialised network; its weights come from PyTorch's global generator.

    Parameters
    ----------
    name: one of `names()`.
    num_classes: K, outputs.
    image_size: height and width of the images, in pixels.
    options: keyword arguments of the network's class, if it has any.

    Raises
    ------
    UserError: unknown name or option, an option's value or the image size does not fit.
    """
    network = network_class(name)
    if num_classes < 1:
        raise UserError(f"num_classes = {num_classes}: a network needs 1 class or more")
    known = [
        parameter.name
        for parameter in inspect.signature(network).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    for option in options or {}:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"model {name!r} has no option {option!r}: its options are {listed}")
    try:
        return network(num_classes, image_size, **(options or {}))
    except (TypeError, ValueError, RuntimeError) as error:  # the last of no memory for it
        reason = str(error).partition("\n")[0]
        raise UserError(f"model {name!r} cannot be built: {reason}") from None
