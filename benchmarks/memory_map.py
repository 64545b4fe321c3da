"""Training from a memory map that is larger than memory, beside one that fits.

    sudo python benchmarks/memory_map.py --images 400000

Two processes train the same network on the same random images, in turn. One may
use all memory, the other is in a control group with room for the program and a quarter of the
images, from which everything that was read before has been dropped. Over the run half of the
images are shown at least, and it ends with an error if the confined process never read from the
disk: then nothing was measured. Needs the right to make control groups (root, on Linux).
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import mmap
import multiprocessing
import os
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from engines import BATCH

PROGRAM = 320 << 20
"""Bytes that training may still ask for when it is confined, beside the images. What it had before
then does not count towards the group.
"""
CHUNK = 10_000
GROUPS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn", choices=["cnn", "lstm"])
    parser.add_argument("--images", type=int, default=400_000, help="3 KiB each")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, help="of a repeat; as many as show half the images")
    parser.add_argument("--folder", type=Path, help="on the disk to read from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    steps = options.steps or -(-options.images // (2 * BATCH * options.repeats))

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        # A file each: what one process has read must not be in memory for the other.
        files = [Path(folder) / f"images-{k}.npy" for k in range(2)]
        for file in files:
            write_images(file, options.images)
        size = files[0].stat().st_size
        limits = {"in memory": None, "quarter in memory": PROGRAM + size // 4}
        groups = [f"unskew-{k}-{os.getpid()}" for k in range(2)]
        children = {
            name: start(options.model, files[k], limit, groups[k])
            for k, (name, limit) in enumerate(limits.items())
        }
        rates: dict[str, list[float]] = {name: [] for name in children}
        fetched = dict.fromkeys(children, 0)
        for _ in range(options.repeats):
            for name, (connection, _) in children.items():
                connection.send(steps)
                rate, read = connection.recv()
                rates[name].append(rate)
                fetched[name] += read
        for connection, process in children.values():
            connection.close()
            process.join()
        for root, group in itertools.product(GROUPS, groups):
            with contextlib.suppress(OSError):  # not every kind of group is there
                (root / group).rmdir()
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratio = medians["quarter in memory"] / medians["in memory"]
    if not fetched["quarter in memory"]:
        raise SystemExit("the confined process never read from the disk: nothing was measured")
    if options.json:
        told = {"images_per_second": rates, "read": fetched, "bytes": size, "ratio": ratio}
        print(json.dumps(told))
        return
    print(f"{options.model}, {options.images:,} images, {size / 2**20:,.0f} MiB on disk")
    for name, middle in medians.items():
        print(
            f"{name:20}{middle:9,.0f} images/s ({min(rates[name]):,.0f}–{max(rates[name]):,.0f}), "
            f"{fetched[name] >> 20:,} MiB read from the disk"
        )
    print(f"{ratio:.2f} of the speed")


def write_images(file: Path, count: int) -> None:
    """Random images as one .npy file, chunk by chunk."""
    images = np.lib.format.open_memmap(file, "w+", np.uint8, (count, 32, 32, 3))
    rng = np.random.default_rng(0)
    for begin in range(0, count, CHUNK):
        images[begin : begin + CHUNK] = rng.integers(
            0, 256, images[begin : begin + CHUNK].shape, dtype=np.uint8
        )
    images.flush()


def start(
    model: str, file: Path, limit: int | None, group: str
) -> tuple[Connection, multiprocessing.process.BaseProcess]:
    """A process that trains when asked, ready."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, model, file, limit, group))
    process.start()
    theirs.close()
    ours.recv()
    return ours, process


def _serve(connection: Connection, model: str, file: Path, limit: int | None, group: str) -> None:
    from unskew.data.imageset import ImageSet, Splits
    from unskew.kernels.memory import keep_freed_memory
    from unskew.training.recipe import Recipe
    from unskew.training.trainer import Trainer

    keep_freed_memory()
    images = np.load(file, mmap_mode="r")
    labels = np.random.default_rng(1).integers(0, 10, len(images))
    names = tuple(map(str, range(10)))
    few = ImageSet(np.zeros((BATCH, 32, 32, 3), np.uint8), labels[:BATCH], names)
    splits = Splits("random", ImageSet(images, labels, names), few, "random")
    trainer = Trainer(Recipe(model=model, epochs=100, batch_size=BATCH), splits)
    if limit is not None:
        confine(limit, group)
        # The channels' mean has mapped every page, and a mapped page is not dropped.
        images._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    connection.send("ready")
    try:
        wanted = connection.recv()
        done, begin, read = 0, time.perf_counter(), from_disk()
        while True:
            for _ in trainer.epoch():
                done += 1
                if done == wanted:
                    rate = done * BATCH / (time.perf_counter() - begin)
                    connection.send((rate, from_disk() - read))
                    wanted = connection.recv()
                    done, begin, read = 0, time.perf_counter(), from_disk()
    except EOFError:
        return


def from_disk() -> int:
    """Bytes that this process has had fetched from the disk so far, read ahead or waited for."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("read_bytes")).split()[1])


def confine(limit: int, name: str) -> None:
    """Move this process into a new control group of so many bytes.

    Raises
    ------
    SystemExit: control groups cannot be made here.
    """
    for root in GROUPS:
        folder = root / name
        try:
            folder.mkdir()
            for setting in ("memory.limit_in_bytes", "memory.max"):
                if (folder / setting).exists():
                    (folder / setting).write_text(str(limit))
                    (folder / "cgroup.procs").write_text(str(os.getpid()))
                    return
            folder.rmdir()
        except OSError:
            continue
    raise SystemExit("control groups cannot be made here: run as root on Linux")


if __name__ == "__main__":
    main()
