"""Writing a training state to one file and reading it back, without pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from unskew.training.files import reading, save_tensors

State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and everything else as what JSON can hold."""


def save_state(state: State, path: Path) -> None:
    """Write a state so that `path` holds either the old or the new one, whenever a kill comes.

    Raises
    ------
    OSError: it cannot be written.
    """
    tensors, rest = state
    save_tensors(tensors, path, {"state": json.dumps(rest)})


def load_state(path: Path) -> State:
    """Read what `save_state` wrote.

    Raises
    ------
    UserError: the file is damaged or is no state of ours.
    """
    mend = "delete it to start this run afresh"
    with reading(path, mend), safe_open(path, framework="pt") as file:
        rest = json.loads(file.metadata()["state"])
        return {name: file.get_tensor(name) for name in file.keys()}, rest  # noqa: SIM118
