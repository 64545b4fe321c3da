"""Where a run trains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from unskew.errors import UserError, memory_is_full


def check_device(device: str) -> None:
    """Whether a run can train on a device.

    Parameters
    ----------
    device: "cpu", "cuda", or "cuda:1" for the second GPU.

    Raises
    ------
    UserError: it is none of these, or there is no such GPU.
    """
    if device == "cpu":
        return
    found = re.fullmatch(r"cuda(?::(\d+))?", device, re.ASCII)
    if found is None:
        raise UserError(
            f"unknown device {device!r}: choose cpu, cuda, or cuda:1 for the second GPU"
        )
    if not torch.backends.cuda.is_built():
        raise UserError(
            f"device {device!r}: this PyTorch ({torch.__version__}) is built without CUDA: install "
            "one with it, or choose cpu"
        )
    count = torch.cuda.device_count()
    if int(found[1] or 0) >= count:
        raise UserError(
            f"device {device!r}: PyTorch finds {count} GPUs here: choose another, or cpu"
        )


@contextmanager
def fitting_on(device: str, what: str) -> Iterator[None]:
    """What a full device ends inside is said in one sentence.

    Parameters
    ----------
    what: there is no room for, in words.

    Raises
    ------
    UserError: in place of PyTorch's error.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not memory_is_full(error):
            raise
        raise UserError(
            f"{device} has no room for {what}: train fewer at once (--workers, --replicas), or "
            "choose a smaller batch_size or smaller images (--image-size)"
        ) from None
