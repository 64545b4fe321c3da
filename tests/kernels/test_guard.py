"""No kernel reads or writes beyond its tensors: kernels' tests pass where memory ends with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.guard import SIDE

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for memory")

PAST_THE_END = """
import ctypes, torch
from tests.kernels.guard import Guarded
copy = Guarded(torch.zeros(5), "{side}")
ctypes.memset(copy.start, 0, 20)
print("inside", flush=True)
ctypes.memset(copy.start + {offset}, 0, 1)
print("outside")
"""


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=HERE.parents[1],
        env=os.environ | environment,
        timeout=600,
    )


@pytest.mark.parametrize(("side", "offset"), [("end", 20), ("start", -1)])
def test_the_guard_ends_a_process_that_writes_beyond(side, offset):
    done = run("-c", PAST_THE_END.format(side=side, offset=offset))
    assert done.stdout == "inside\n"
    assert done.returncode < 0


@pytest.mark.slow
@pytest.mark.parametrize("side", ["end", "start"])
def test_kernels_stay_within_their_tensors(side):
    tests = [str(path) for path in sorted(HERE.glob("test_*.py")) if path.name != "test_guard.py"]
    tests.append(str(HERE.parent / "data" / "test_augment.py"))  # of batches, which a kernel makes
    done = run("-m", "pytest", "-p", "tests.kernels.guard", "-p", "no:cacheprovider", "-q", *tests,
               **{SIDE: side})  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
