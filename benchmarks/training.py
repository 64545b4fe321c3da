"""Images per second of a training, ours beside two peers, interleaved in one run.

    python benchmarks/training.py --model cnn --repeats 5

The peers are written as a good user would write them from PyTorch's own documentation: the
coursework's way (a Dataset that transforms image by image with Pillow, a DataLoader with two
workers, float32) and a plain loop over a tensor in memory (float32). All train the same network
with the same recipe on random images; the floor is what the machine's measured matrix rate in
the format that ours multiplies in would allow, with backward counted as twice the forward.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch
from peers import dataloader_steps, plain_steps

from unskew.data.imageset import ImageSet, Splits
from unskew.models.registry import build
from unskew.models.summary import summarise
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

BATCH = 100


def random_splits(count: int) -> Splits:
    rng = np.random.default_rng(0)
    names = tuple(map(str, range(10)))
    pixels = rng.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)
    train = ImageSet(pixels, rng.integers(0, 10, count), names)
    return Splits("random", train, ImageSet(pixels[:100], train.labels[:100], names), "random")


def our_steps(model: str, splits: Splits) -> Iterator[None]:
    """One step of ours at each `next`."""
    trainer = Trainer(Recipe(model=model, epochs=1000, batch_size=BATCH), splits)
    while True:
        for _ in trainer.epoch():
            yield None


def rate(steps: Iterator[None], count: int) -> float:
    """Images per second over `count` steps."""
    begin = time.perf_counter()
    for _ in range(count):
        next(steps)
    return count * BATCH / (time.perf_counter() - begin)


def matrix_rate(dtype: torch.dtype, size: int = 1536, times: int = 8) -> float:
    """Multiply-adds per second of a square matrix product."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    a @ b
    begin = time.perf_counter()
    for _ in range(times):
        a @ b
    return size**3 * times / (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="cnn", choices=["cnn", "lstm", "resnet32"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    splits = random_splits(BATCH * 200)

    ours = our_steps(options.model, splits)
    engines: dict[str, Iterator[None]] = {
        "unskew": ours,
        "plain PyTorch, in memory, float32": plain_steps(options.model, splits.train, BATCH),
        "Dataset + DataLoader, Pillow, float32": dataloader_steps(
            options.model, splits.train, BATCH
        ),
    }
    products = 3 * sum(row.multiply_adds for row in summarise(build(options.model, 10)))
    dtype = Trainer(Recipe(model=options.model), splits).dtype
    for steps in engines.values():
        rate(steps, 3)  # warm up
    measured: dict[str, list[float]] = {name: [] for name in engines}
    floors: list[float] = []
    for _ in range(options.repeats):
        floors.append(matrix_rate(dtype) / products)
        for name, steps in engines.items():
            measured[name].append(rate(steps, options.steps))
    floor, best = statistics.median(floors), statistics.median(measured["unskew"])
    print(f"{options.model}, batch {BATCH}, {options.threads} threads, ours in {dtype}")
    print(f"{'floor (matrix rate)':40}{floor:9,.0f} images/s")
    for name, rates in measured.items():
        middle = statistics.median(rates)
        print(
            f"{name:40}{middle:9,.0f} images/s  {middle / floor:5.0%} of the floor"
            f"  ours is {best / middle:.2f}x"
        )


if __name__ == "__main__":
    main()
