"""How long until something happens: `unskew --help`, and the first step of a training.

    python benchmarks/startup.py

The first step is timed from the command to the end of a run of one step on the digits that come
with scikit-learn: with an empty cache, so that the images are prepared and the kernels compiled,
and again with a full one. An interpreter that does nothing, and one that imports PyTorch, stand
beside them, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

UNSKEW = [sys.executable, "-m", "unskew"]
FIRST_STEP = [*UNSKEW, "train", "--data", "digits", "--epochs", "1", "--max-steps", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for repeat in range(options.repeats):
            cache = Path(scratch) / f"cache-{repeat}"
            out = ["--out", str(Path(scratch) / f"run-{repeat}")]
            for name, command in {
                "python -c pass": [sys.executable, "-c", "pass"],
                "unskew --help": [*UNSKEW, "--help"],
                "import torch": [sys.executable, "-c", "import torch"],
                "first step, empty cache": [*FIRST_STEP, *out],
                "first step, full cache": [*FIRST_STEP, *out[:1], out[1] + "-again"],
            }.items():
                seconds.setdefault(name, []).append(taken(command, cache))
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    if options.json:
        print(json.dumps(seconds))
        return
    for name, middle in medians.items():
        found = seconds[name]
        print(f"{name:26}{middle:7.2f} s  ({min(found):.2f}–{max(found):.2f})")


def taken(command: list[str], cache: Path) -> float:
    """Seconds of a command from start to end."""
    environment = os.environ | {"UNSKEW_CACHE": str(cache)}
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
