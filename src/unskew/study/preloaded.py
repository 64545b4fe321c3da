"""All that a worker imports. A study's fork server imports this module, and nothing else does.

Nothing here starts a thread or computes: a process that has is not safe to fork.
"""

import os
import signal

# Ctrl-C goes to the whole terminal: the server ends with its parent, and without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)
# Libraries that read it when they load would start threads of their own.
os.environ["OMP_NUM_THREADS"] = "1"

import unskew.data.sources  # noqa: E402
import unskew.study.worker  # noqa: E402
import unskew.training.replicas.execute  # noqa: E402
import unskew.training.run  # noqa: E402, F401
from unskew.training.compiler import import_compiler_late  # noqa: E402

import_compiler_late()
