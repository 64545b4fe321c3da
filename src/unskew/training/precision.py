"""Which number format a run multiplies in."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def resolve(wanted: str, device: str) -> torch.dtype:
    """The format that a recipe's `precision` means on this device.

    Parameters
    ----------
    wanted: "float32", "bfloat16" or "auto": bfloat16 where the device multiplies in it at least
        twice as fast as in float32 (AVX-512 BF16 or AMX on a CPU, compute capability 8.0 on a
        GPU), else float32. Weights, gradients' sums and losses stay float32 in either case.
    device: "cpu" or "cuda...".
    """
    if wanted == "float32":
        return torch.float32
    if wanted == "bfloat16" or _has_fast_bfloat16(device):
        return torch.bfloat16
    return torch.float32


def _has_fast_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def exact_convolutions(dtype: torch.dtype) -> None:
    """Let a GPU multiply in float32 where a run says that it does, and the same way every time.

    PyTorch's default for convolutions and for cuDNN's LSTM is TF32, whose products have 10 bits of
    the 23, and algorithms whose sums depend on which thread is first. The settings are the
    process's.
    """
    torch.backends.cudnn.deterministic = True
    if dtype is torch.float32:
        torch.backends.cudnn.allow_tf32 = False


def autocast(dtype: torch.dtype, device: str) -> AbstractContextManager[object]:
    """Runs matrix products and convolutions in `dtype`; does nothing for float32."""
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=dtype, enabled=dtype is not torch.float32)
