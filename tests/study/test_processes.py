"""A worker begins with all imported, and with its parent's environment."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest

from unskew.study.processes import context, import_ahead
from unskew.study.worker import Data, work

forks = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


def told_by(target, *arguments):
    """What `target` sends from a process of a study's kind."""
    ours, theirs = context("cpu").Pipe()
    process = context("cpu").Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    told = ours.recv()
    process.join()
    return told


def tell_what_is_here(connection):
    parent = Path(f"/proc/{os.getppid()}/task")
    connection.send(
        (
            sys.modules.keys() & {"torch", "torch._dynamo", "unskew.training.trainer"},
            (os.environ.get("OMP_NUM_THREADS"), signal.getsignal(signal.SIGINT)),
            len(list(parent.iterdir())),
        )
    )


@forks
def test_a_process_begins_with_all_imported_and_comes_from_one_without_threads():
    """It is sent to a function of this module, which imports none of it by itself."""
    modules, settings, threads = told_by(tell_what_is_here)
    assert modules == {"torch", "unskew.training.trainer"}
    assert settings == (os.environ.get("OMP_NUM_THREADS"), signal.default_int_handler)
    assert threads == 1, "a process with threads is not safe to fork"


def tell_environment(connection, environment):
    data = Data("nothing", strict=False, image_size=None, fingerprint="ab")
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    work(theirs, data, 1, "cpu", environment)
    connection.send(dict(os.environ))


def test_a_worker_has_its_parents_environment(monkeypatch):
    """Not that of the time when the first of them began."""
    import_ahead("cpu")
    monkeypatch.setenv("UNSKEW_KERNELS", "reference")
    monkeypatch.delenv("HOME", raising=False)
    found = told_by(tell_environment, dict(os.environ))
    assert found["UNSKEW_KERNELS"] == "reference"
    assert "HOME" not in found
    assert found["OMP_NUM_THREADS"] == "1"


def test_what_uses_a_gpu_is_not_forked():
    assert context("cuda").get_start_method() == "spawn"
