"""The number formats that there are kernels for."""

from __future__ import annotations

import torch
from torch import Tensor

FOLDERS = {torch.bfloat16: "bfloat16", torch.float32: "float32"}
"""Where the C files of each format lie."""


def multiplied_in(tensor: Tensor) -> torch.dtype | None:
    """The format that PyTorch would multiply `tensor` in now, or None where no kernel takes it.

    On the CPU that is bfloat16 under autocast to it and float32 without; elsewhere, and in every
    other format, there are no kernels.
    """
    if tensor.device.type != "cpu":
        return None
    if not torch.is_autocast_enabled("cpu"):
        return torch.float32 if tensor.dtype is torch.float32 else None
    wanted = torch.get_autocast_dtype("cpu")
    return wanted if wanted is torch.bfloat16 and tensor.dtype in FOLDERS else None


def source(name: str, dtype: torch.dtype) -> str:
    """The kernels `name` for numbers of `dtype`, as `library.load` wants them named.

    Raises
    ------
    KeyError: there are none for `dtype`.
    """
    return f"{FOLDERS[dtype]}/{name}"
