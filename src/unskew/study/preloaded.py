"""All that a worker imports. A study's fork server imports this module, and nothing else does.

Nothing here starts a thread or computes: a process that has is not safe to fork. A process has one
fork server for whatever it forks, so what is set for the imports' sake is put back.
"""

import os
import signal

# Ctrl-C goes to the whole terminal: the server ends with its parent, and without a traceback.
_on_interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)
_threads = os.environ.get("OMP_NUM_THREADS")
# Libraries that read it when they load would start threads of their own.
os.environ["OMP_NUM_THREADS"] = "1"

import unskew.data.sources  # noqa: E402
import unskew.study.worker  # noqa: E402
import unskew.training.replicas.execute  # noqa: E402
import unskew.training.run  # noqa: E402, F401

if _threads is None:
    del os.environ["OMP_NUM_THREADS"]
else:
    os.environ["OMP_NUM_THREADS"] = _threads
signal.signal(signal.SIGINT, _on_interrupt)
