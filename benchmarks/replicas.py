"""Runs an hour: many small networks trained at once, beside one at a time on the same device.

    python benchmarks/replicas.py --model cnn --device cuda
    python benchmarks/replicas.py --study --data cifar10 --device cuda

For each R three train in turn, some steps each: one `Trainer` alone as PyTorch runs it, kernel by
kernel; one alone with its step recorded; and a group of R runs. Medians over the repeats. On a CPU
nothing is recorded, and the first two are the same.
With `--study` the whole coursework study is timed instead, by its command from start to report;
the data are opened once before, so that no download or decoding counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from engines import BATCH

from unskew.data.imageset import ImageSet, Splits
from unskew.data.sources import open_data
from unskew.kernels.memory import keep_freed_memory
from unskew.remedies.base import Remedy
from unskew.training.recipe import Recipe
from unskew.training.replicas import Replicas
from unskew.training.trainer import Trainer

ENGINES = ("plain", "one", "all")
STUDIED, EPOCHS = 50_000, 5
"""Images and epochs of one run, as the coursework has them."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn", choices=["cnn", "lstm", "resnet32"])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 4, 10, 40])
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--images", type=int, default=20_000, help="random ones")
    parser.add_argument("--study", action="store_true", help="time the coursework study instead")
    parser.add_argument("--data", default="digits", help="of the study")
    parser.add_argument("--seeds", type=int, default=10, help="of the study")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the study")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.study:
        took = study(options.data, options.seeds, options.epochs, options.device)
        told = (
            f"the study on {options.data}, {options.seeds} seeds, {options.device}: {took:,.1f} s"
        )
        print(json.dumps({"seconds": took}) if options.json else told)
        return
    keep_freed_memory()
    splits = made_up(options.images)
    found = {
        count: beside_one(options.model, count, splits, options)
        for count in sorted(set(options.replicas))
    }
    if options.json:
        facts = {"model": options.model, "device": options.device, "batch": BATCH}
        facts["precision"] = options.precision
        print(json.dumps(facts | {"images_per_second": found}))
        return
    card = torch.cuda.get_device_name(options.device) if options.device != "cpu" else ""
    print(f"{options.model} on {card or 'cpu'}, batch {BATCH}; medians of {options.repeats}")
    print(
        f"{'R':>4}{'plain alone':>13}{'recorded':>11}{'R in sum':>11}{'runs an hour':>14}"
        f"{'to plain':>10}{'to recorded':>13}"
    )
    for count, rates in found.items():
        plain, alone, together = (statistics.median(rates[name]) for name in ENGINES)
        hourly = 3600 * together / (STUDIED * EPOCHS)
        print(
            f"{count:4}{plain:13,.0f}{alone:11,.0f}{together:11,.0f}{hourly:14,.0f}"
            f"{together / plain:9.2f}×{together / alone:12.2f}×"
        )


def made_up(count: int) -> Splits:
    """Random images: speed does not depend on what is seen."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    images.flags.writeable = False  # as a cache hands them out: their statistics are kept
    labels, names = rng.integers(0, 10, count), tuple(map(str, range(10)))
    few = ImageSet(images[:BATCH], labels[:BATCH], names)
    return Splits("random", ImageSet(images, labels, names), few, "random")


def beside_one(
    model: str, count: int, splits: Splits, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Images per second, of all runs together and of one alone, repeat by repeat."""
    recipe = Recipe(model=model, epochs=10_000, batch_size=BATCH, precision=options.precision)
    recipes = [recipe.model_copy(update={"seed": seed}) for seed in range(count)]
    trainers = [Trainer(recipe, splits, options.device) for recipe in recipes]
    engines = {
        "plain": (unrecorded(Trainer(recipes[0], splits, options.device)), 1),
        "one": (unending(Trainer(recipes[0], splits, options.device).epoch), 1),
        "all": (unending(Replicas(trainers).epoch), count),
    }
    rates: dict[str, list[float]] = {name: [] for name in ENGINES}
    for repeat in range(-1, options.repeats):
        for name, (steps, runs) in engines.items():
            rate = runs * BATCH / seconds(steps, options.steps, options.device)
            if repeat >= 0:  # the first time libraries choose, compile and capture
                rates[name].append(rate)
    return rates


def unrecorded(trainer: Trainer) -> Iterator[int]:
    """The steps of a trainer that is kept from recording them."""
    trainer.remedy = Watched()
    return unending(trainer.epoch)


@dataclass(frozen=True)
class Watched(Remedy):
    """As a user's remedy may be that looks at Python's state in each step."""

    def replayable(self) -> bool:
        return False


def unending(epoch: Callable[[], Iterator[int]]) -> Iterator[int]:
    """Step after step, epoch after epoch."""
    while True:
        yield from epoch()


def seconds(steps: Iterator[int], count: int, device: str) -> float:
    """Of one step, the device's work included."""
    settle(device)
    begin = time.perf_counter()
    for _ in range(count):
        next(steps)
    settle(device)
    return (time.perf_counter() - begin) / count


def settle(device: str) -> None:
    """Wait for what the device still has to do."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def study(data: str, seeds: int, epochs: int, device: str) -> float:
    """Seconds of the command that runs the coursework study and writes its report."""
    open_data(data)
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable, "-m", "unskew", "study", "coursework", "--data", data,
            "--seeds", str(seeds), "--epochs", str(epochs), "--device", device,
            "--out", str(Path(scratch) / "out"),
        ]  # fmt: skip
        begin = time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL)
        if done.returncode:
            raise SystemExit("the study failed; what it said stands above")
        return time.perf_counter() - begin


if __name__ == "__main__":
    main()
