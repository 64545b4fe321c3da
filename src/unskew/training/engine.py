"""What a run is computed with: PyTorch's operators, or the package's own kernels beside them."""

from __future__ import annotations

import torch

from unskew.kernels.formats import FOLDERS, in_tiles, source
from unskew.kernels.library import load_all
from unskew.models.base import Network

FUSED, TILED = "fused", "fused, in matrix tiles"


def use_kernels(network: Network, device: str, dtype: torch.dtype, wanted: str = "auto") -> str:
    """Let a network use the kernels it has on this machine; what to record of it.

    Parameters
    ----------
    wanted: a recipe's `kernels`.

    Returns
    -------
    "fused", with how where that differs from machine to machine, or "plain" with the reason, for
    people.
    """
    off = "the recipe does without kernels" if wanted == "off" else ""
    reason = off or _reason(network, device, dtype)
    network.fused = not reason
    if reason:
        return f"plain: {reason}"
    return TILED if any(in_tiles(name, dtype) for name in network.kernels) else FUSED


def _reason(network: Network, device: str, dtype: torch.dtype) -> str:
    if not network.kernels:
        return "the network has no kernels of its own"
    if torch.device(device).type != "cpu":
        return "the kernels are for the CPU"
    if dtype not in FOLDERS:
        return "the kernels are for bfloat16 and float32"
    if reason := network.unfused():
        return reason
    libraries = load_all([source(name, dtype) for name in network.kernels])
    return next((library.reason for library in libraries if library.reason), "")
