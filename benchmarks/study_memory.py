"""Memory of a study by its number of workers, beside one copy of its images.

    python benchmarks/study_memory.py --workers 1 2 4

Runs a small study on 60,000 made-up images, once for each number of workers, and adds up the
proportional set sizes of all of its processes while it runs: memory that several share is divided
among them, so that the sum counts it once. The images are a memory map of the cache that every
worker opens; were each to read its own copy, their line would grow with the workers. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from memory import descendants, shared_out, shared_out_of_files

from unskew.data.sources import open_data

PIXELS = 32 * 32 * 3
FOLDER = "cifar-10-batches-bin"
STUDY = """
name = "memory"
title = { en = "Memory", zh = "Memory" }
question = { en = "How much?", zh = "How much?" }
seeds = 4

[[arms]]
name = "{model}"
label = { en = "{model}", zh = "{model}" }
grid = { model = ["cnn", "lstm"] }
"""


@dataclass(frozen=True)
class Held:
    """Bytes of all processes of a study at once, where they were most.

    Attributes
    ----------
    total: proportional set sizes.
    images: of these, the mapped files of images.
    processes: that were seen together.
    """

    total: int
    images: int
    processes: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--steps", type=int, default=100, help="of each of the eight runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["UNSKEW_CACHE"] = str(folder / "cache")
        data = write_images(folder / FOLDER, options.images)
        open_data(str(data))  # what reading and caching takes is not a study's
        (folder / "memory.toml").write_text(STUDY, encoding="utf-8")
        found = {
            count: watched(folder, data, count, options.steps) for count in sorted(options.workers)
        }
    copy = options.images * PIXELS
    if options.json:
        held = {count: asdict(most) for count, most in found.items()}
        print(json.dumps({"one copy": copy, "workers": held}))
        return
    print(f"one copy of {options.images:,} images: {copy / 2**20:,.0f} MiB")
    print(f"{'workers':>8}{'all, MiB':>10}{'images':>9}{'copies':>8}{'else, each process':>20}")
    for count, held in found.items():
        rest = (held.total - held.images) / held.processes
        print(
            f"{count:8}{held.total / 2**20:10,.0f}{held.images / 2**20:9,.0f}"
            f"{held.images / copy:8.2f}{rest / 2**20:20,.0f}"
        )


def write_images(folder: Path, count: int) -> Path:
    """Random images as CIFAR-10's own binary files, a sixth of them in each."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (count // 6, 1 + PIXELS), dtype=np.uint8)
        rows[:, 0] = rng.permutation(len(rows)) % 10
        rows.tofile(folder / f"{name}.bin")
    return folder


def watched(folder: Path, data: Path, workers: int, steps: int) -> Held:
    """A study from its command to its end, looked at twice a second."""
    command = [
        sys.executable, "-m", "unskew", "study", str(folder / "memory.toml"), "--data", str(data),
        "--epochs", "1", "--set", f"max_steps={steps}", "--workers", str(workers),
        "--out", str(folder / f"out-{workers}"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    most = Held(0, 0, 1)
    while process.poll() is None:
        time.sleep(0.5)
        family = [process.pid, *descendants(process.pid)]
        total = sum(map(shared_out, family))
        if total > most.total:
            images = sum(shared_out_of_files(one, "-images.npy") for one in family)
            most = Held(total, images, len(family))
    if process.returncode:
        assert process.stderr is not None
        raise SystemExit(process.stderr.read().decode())
    return most


if __name__ == "__main__":
    main()
