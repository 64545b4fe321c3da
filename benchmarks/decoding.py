"""Opening an archive of class folders, ours beside a Pillow loop, on one core.

    python benchmarks/decoding.py --images 60000
    python benchmarks/decoding.py --data photos.zip

Both read every file of a zip archive of JPEGs into one array. Ours also checks each file, tells
damaged ones, hashes all pixels and writes the cache that later openings map; how long such a
second opening takes is told too.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unskew.data.sources import open_data


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=60_000, help="made up, 32×32, if no --data")
    parser.add_argument("--data", type=Path, help="a .zip of class folders of equal images")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        archive = options.data or make_archive(Path(folder) / "made-up.zip", options.images)
        seconds: dict[str, list[float]] = {"unskew": [], "Pillow": [], "second opening": []}
        for repeat in range(options.repeats):
            cache = Path(folder) / f"cache-{repeat}"
            begin = time.perf_counter()
            opened = open_data(str(archive), cache=cache)
            seconds["unskew"].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            again = open_data(str(archive), cache=cache)
            seconds["second opening"].append(time.perf_counter() - begin)
            begin = time.perf_counter()
            pixels = pillow_loop(archive)
            seconds["Pillow"].append(time.perf_counter() - begin)
            # Or every cache would lie in memory that the system has never touched, which a virtual
            # machine may take long to give, and the loop's array in what it has just given back.
            shutil.rmtree(cache)
            count = len(opened.train) + len(opened.test)
            if count != len(pixels) or again.fingerprint != opened.fingerprint:
                raise SystemExit("the two did not read the same images")
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    ratio = medians["Pillow"] / medians["unskew"]
    if options.json:
        print(json.dumps({"images": count, "seconds": seconds, "ratio": ratio}))
        return
    print(f"{count:,} images on one core; medians of {options.repeats}")
    for name, middle in medians.items():
        found = seconds[name]
        print(f"{name:16}{middle:8.2f} s  ({min(found):.2f}–{max(found):.2f})")
    print(f"ours is {ratio:.2f}× as fast")


def make_archive(path: Path, count: int) -> Path:
    """JPEGs of smooth colours with some noise, about as large as small photographs."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(count):
            rough = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            smooth = np.asarray(Image.fromarray(rough).resize((32, 32), Image.Resampling.BICUBIC))
            noisy = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(noisy).save(buffer, "JPEG", quality=95)
            half = "test" if n % 6 == 5 else "train"
            archive.writestr(f"{half}/class {n // 6 % 10}/{n}.jpg", buffer.getvalue())
    return path


def pillow_loop(path: Path) -> NDArray[np.uint8]:
    """Every image of the archive, one after the other."""
    with zipfile.ZipFile(path) as archive:
        images = [
            np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
            for name in archive.namelist()
            if not name.endswith("/")
        ]
    return np.stack(images)


if __name__ == "__main__":
    main()
