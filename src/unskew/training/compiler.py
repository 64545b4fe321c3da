"""PyTorch's compiler, imported where something compiles instead of where something trains."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"


class _Later(ModuleType):
    """Stands for the compiler until more is asked of it than every optimiser asks.

    An optimiser only tells it what not to compile. What is asked for beyond that is the real
    module's, which then takes this one's place.
    """

    def graph_break(self, *args: Any, **kwargs: Any) -> None:
        """Where compiled code would be cut; there is none."""

    def disable(self, fn: Any = None, *args: Any, **kwargs: Any) -> Any:
        """The function, which nothing compiles anyway; called without one, a decorator."""
        return (lambda decorated: decorated) if fn is None else fn

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(import_module(NAME), name)


def import_compiler_late() -> None:
    """Spare this process the import of `torch._dynamo`, two to three seconds that an optimiser's
    first line would take, although it never compiles anything.

    For processes that only train. Code that is compiled in one after all, compiles as ever, but for
    the optimiser's methods that PyTorch would have it pass over.
    """
    if NAME in sys.modules:
        return
    later = _Later(NAME)
    spec = find_spec(NAME)
    later.__spec__, later.__file__ = spec, spec.origin if spec else None
    sys.modules[NAME] = torch._dynamo = later
