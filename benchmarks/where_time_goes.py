"""Where the time of a training step goes, by PyTorch's own profiler.

    python benchmarks/where_time_goes.py --model cnn
    python benchmarks/where_time_goes.py --model lstm --threads 1 --engine plain

Rounds of profiled steps take turns with rounds that are not profiled, so that what the profiler
itself costs can be seen, and with measurements of the machine's matrix peak, which the products'
own rate is compared with. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from engines import BATCH, Steps, start
from floor import floor
from machine import Rates, probe
from step_parts import PARTS, REST, part_of
from torch.profiler import ProfilerActivity, profile, record_function
from work import work

from unskew.data.batches import Batches
from unskew.training.precision import resolve

ENGINES = {"ours": "unskew", "plain": "plain PyTorch, in memory"}
IMAGES = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn", choices=["cnn", "lstm", "resnet32"])
    parser.add_argument("--engine", default="ours", choices=list(ENGINES))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="of a round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    torch.set_num_threads(options.threads)
    wanted = resolve("auto", "cpu") if options.engine == "ours" else torch.float32
    precision = str(wanted).removeprefix("torch.")
    needed = work(options.model)
    rates = probe([precision], [needed.kept * BATCH * wanted.itemsize])
    Batches.images = recorded("batch making", Batches.images)  # type: ignore[method-assign]
    steps = started(ENGINES[options.engine], options.model)

    machine: list[Rates] = []
    plain: list[float] = []
    rounds: list[Counter[str]] = []
    others: Counter[str] = Counter()
    for _ in range(options.rounds):
        machine.append(rates(1))
        plain.append(seconds(steps, options.steps))
        rounds.append(profiled(steps, options.steps, others))
    least = floor(needed, precision, BATCH, machine)
    parts = {part: statistics.median(found[part] for found in rounds) for part in (*PARTS, REST)}
    products = {"forward": needed.forward * BATCH, "backward": needed.backward * BATCH}
    achieved = {way: n / (parts[f"products {way}"] or np.inf) for way, n in products.items()}
    step, total = statistics.median(plain), sum(parts.values())
    if options.json:
        print(
            json.dumps(
                {
                    "model": options.model, "engine": options.engine, "precision": precision,
                    "threads": options.threads, "step_seconds": plain, "parts_seconds": rounds,
                    "peak": least.matrix_rate, "achieved": achieved,
                }
            )
        )  # fmt: skip
        return
    print(
        f"{options.model}, {options.engine}, batch {BATCH}, {precision}, {options.threads} "
        f"thread(s); a step takes {step * 1e3:.1f} ms, under the profiler {total * 1e3:.1f}\n"
    )
    print(f"{'':28}{'ms':>8}{'of a step':>11}{'10⁹ products/s':>16}{'of the peak':>13}")
    for part, took in parts.items():
        line = f"{part:28}{took * 1e3:8.2f}{took / total:11.1%}"
        rate = achieved.get(part.removeprefix("products "))
        if rate:
            line += f"{rate / 1e9:16,.0f}{rate / least.matrix_rate:13.0%}"
        print(line)
    print(f"\npeak: {least.matrix_rate / 1e9:,.0f} · 10⁹ multiply-adds/s ({least.matrix_size})")
    largest = others.most_common(6)
    count = options.rounds * options.steps
    print(f"in the {REST}: " + ", ".join(f"{n} {s * 1e3 / count:.2f} ms" for n, s in largest))


def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, seen by the profiler under this name."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        with record_function(name):
            return function(*arguments, **options)

    return wrapped


def started(engine: str, model: str) -> Steps:
    """An engine on random images, warmed up."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    steps = start(engine, model, images, rng.integers(0, 10, IMAGES))
    steps.send(3)
    return steps


def seconds(steps: Steps, count: int) -> float:
    """Of one step."""
    begin = time.perf_counter()
    steps.send(count)
    return (time.perf_counter() - begin) / count


def profiled(steps: Steps, count: int, others: Counter[str]) -> Counter[str]:
    """Seconds of one step by part; what belongs to none is added to `others`, by name."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        step = seconds(steps, count)
    parts: Counter[str] = Counter()
    for event in seen.events():
        part, took = part_of(event), event.self_cpu_time_total / 1e6
        if part == REST:
            others[event.name] += took
        else:
            parts[part] += took / count
    # Python between the operators belongs to no event.
    parts[REST] = step - sum(parts.values())
    return parts


if __name__ == "__main__":
    main()
