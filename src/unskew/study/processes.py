"""Where a study's processes come from: forked from one that has imported all that they need."""

from __future__ import annotations

import multiprocessing
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

PRELOADED = "unskew.study.preloaded"


def context(device: str) -> SpawnContext | ForkServerContext:
    """How processes that train on `device` start.

    Importing PyTorch takes each new process seconds. On Linux a server imports it once and every
    worker is forked from it in milliseconds, its pages shared. Elsewhere forking isn't safe, and a
    process that uses a GPU must be a new one: there each imports for itself.
    """
    if device != "cpu" or sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([PRELOADED])
    return forking


def import_ahead(device: str) -> None:
    """Let the server import while this process is busy with other things, if `device` has one."""
    if context(device).get_start_method() == "forkserver":
        from multiprocessing.forkserver import ensure_running

        ensure_running()
