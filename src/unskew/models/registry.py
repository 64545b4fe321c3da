"""Networks by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

from torch import nn

from unskew.errors import UnknownNameError, UserError, memory_is_full
from unskew.models.base import Network
from unskew.models.table import NETWORKS
from unskew.plugins import digest_of, load_plugins

WIDEST = 10**6
"""Units of a layer. What is more is a mistake, which would fill the memory."""

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
"""Types of options, in words."""


def names() -> tuple[str, ...]:
    """The names that `build` takes."""
    load_plugins()
    return (*NETWORKS, *sorted(Network.known))


def network_class(name: str) -> type[Network]:
    """The class behind a name.

    Raises
    ------
    UserError: no network has this name.
    """
    if name in NETWORKS:
        module, attribute = NETWORKS[name]
        found: type[Network] = getattr(import_module(module), attribute)
        return found
    load_plugins()
    if name not in Network.known:
        raise UnknownNameError(
            "model", name, names(), beside="--plugin FILE brings one of your own"
        )
    return Network.known[name]


def model_source(name: str) -> str:
    """The digest of the file that defines a network; empty for the package's own.

    Raises
    ------
    UserError: no network has this name.
    """
    return digest_of(network_class(name).__module__)


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
    UserError: unknown name or option, an option is missing or its value or the image size does not
        fit, or the network is too large for the memory.
    """
    network = network_class(name)
    if num_classes < 1:
        raise UserError(f"num_classes = {num_classes}: a network needs 1 class or more")
    given = _checked(name, options or {})
    try:
        built = network(num_classes, image_size, **given)
    except ValueError as error:
        raise UserError(f"model {name!r} cannot be built: {error}") from None
    except (TypeError, RuntimeError, MemoryError) as error:
        # No room for it, or no number for its size.
        if not memory_is_full(error) and "verflow" not in str(error):
            raise  # a mistake of the network's, which no user can mend
        raise UserError(
            f"model {name!r} cannot be built with num_classes = {num_classes}, image_size = "
            f"{image_size} and options {given}: it is too large for this machine's memory"
        ) from None
    if not isinstance(getattr(built, "classifier", None), nn.Module) or not hasattr(
        built, "num_features"
    ):
        raise UserError(
            f"model {name!r} lacks what every network has: set num_features and classifier in its "
            "__init__"
        )
    return built


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A network's options, each of its type.

    Raises
    ------
    UserError: one is unknown, missing, of another type or too large.
    """
    parameters = inspect.signature(network_class(name), eval_str=True).parameters.values()
    known = {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    for option in options:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"model {name!r} has no option {option!r}: its options are {listed}")
    for option, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and option not in options:
            values = get_args(parameter.annotation)
            listed = f", one of {', '.join(map(repr, values))}" if values else ""
            example = values[0] if values else "..."
            raise UserError(
                f"model {name!r} needs the option {option}{listed}: --model-option "
                f"{option}={example}, or in a file model_options.{option} = {example!r}"
            )
    return {option: _typed(name, known[option], value) for option, value in options.items()}


def _typed(name: str, option: inspect.Parameter, value: Any) -> Any:
    """The value as the type of the option; a whole number may be written with a point (1e3)."""
    kind = option.annotation
    if kind is int and type(value) is float and value.is_integer():
        value = int(value)
    if kind is float and type(value) is int:
        value = float(value)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            listed = ", ".join(map(repr, get_args(kind)))
            raise UserError(f"model {name!r}: {option.name} = {value!r} should be one of {listed}")
    elif type(value) is not kind:
        raise UserError(f"model {name!r}: {option.name} = {value!r} should be {KINDS[kind]}")
    if kind is int and value > WIDEST:
        raise UserError(
            f"model {name!r}: {option.name} = {value}, but {WIDEST:,} is the most: choose fewer"
        )
    return value
