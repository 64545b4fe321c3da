"""The number formats that there are kernels for, and where those of this machine lie."""

from __future__ import annotations

import functools
import os

import torch
from torch import Tensor, nn

from unskew.kernels.library import load_all

FOLDERS = {torch.bfloat16: "bfloat16", torch.float32: "float32"}
"""Where the C files of each format lie."""
TILES = "amx"
"""Where those lie for processors with matrix tiles, which multiply in bfloat16."""
GRADIENT = "_gradient"
"""What a file's name ends in that computes gradients with respect to the weights of another's."""
IN_TILES = (("convolution", "convolution_gradient"), ("lstm", "lstm_gradient"))
"""What lies there, by what belongs together; all else is the format's own."""


def multiplied_in(tensor: Tensor) -> torch.dtype | None:
    """The format that PyTorch would multiply `tensor` in now, or None where no kernel takes it.

    On the CPU that is bfloat16 under autocast to it and float32 without; elsewhere, in every other
    format and for tensors that are `out_of_reach` there are no kernels.
    """
    if tensor.device.type != "cpu" or out_of_reach(tensor):
        return None
    if not torch.is_autocast_enabled("cpu"):
        return torch.float32 if tensor.dtype is torch.float32 else None
    wanted = torch.get_autocast_dtype("cpu")
    return wanted if wanted is torch.bfloat16 and tensor.dtype in FOLDERS else None


def out_of_reach(tensor: Tensor) -> bool:
    """Whether C could not read a tensor, or something is looking on that wants to see operators:
    a transform of `torch.func`, `torch.export`, `torch.compile` or `torch.jit.trace`.
    """
    return (
        torch._C._functorch.peek_interpreter_stack() is not None
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or type(tensor) not in (Tensor, nn.Parameter)
    )


def source(name: str, dtype: torch.dtype) -> str:
    """The kernels `name` for numbers of `dtype`, as `library.load` wants them named.

    They are those in matrix tiles where this machine has them, unless the environment variable
    UNSKEW_KERNELS is "no-tiles" at that moment.

    Raises
    ------
    KeyError: there are none for `dtype`.
    """
    if in_tiles(name, dtype):
        return f"{TILES}/{name}"
    return f"{FOLDERS[dtype]}/{name}"


def in_tiles(name: str, dtype: torch.dtype) -> bool:
    """Whether the kernels `name` for numbers of `dtype` are in matrix tiles here: the processor has
    AMX, and all that belongs with them can be built and used.
    """
    if dtype is not torch.bfloat16 or os.environ.get("UNSKEW_KERNELS") == "no-tiles":
        return False
    return _family_in_tiles(name)


@functools.cache
def _family_in_tiles(name: str) -> bool:
    family = next((family for family in IN_TILES if name in family), ())
    return (
        bool(family)
        and bool(torch.cpu.get_capabilities().get("amx_bf16"))
        and not any(one.functions is None for one in load_all([f"{TILES}/{m}" for m in family]))
    )
