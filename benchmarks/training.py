"""Images per second of a training, ours beside its peers, interleaved in one run.

    python benchmarks/training.py --model cnn
    python benchmarks/training.py --model lstm --processes 2 --json

Every engine has a process of its own (with `--processes 2`, two of one thread each, as a study
runs them). They train in turn, some steps each, and medians over the repeats are told. The floor
is what the machine's matrix rate, measured in the same run in the format that ours multiplies in,
would allow. Peers that are not installed are left out: see requirements.txt beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics

import torch
from child import BATCH, Child, Measured
from engines import ENGINES
from floor import matrix_rate, products_per_image

from unskew.training.precision import resolve


def started(model: str, processes: int, cores: int, wanted: list[str]) -> dict[str, list[Child]]:
    """Children by engine; what cannot run is told and left out."""
    children: dict[str, list[Child]] = {}
    for engine in wanted:
        pair = [Child(engine, model, cores // processes) for _ in range(processes)]
        problems = {problem for child in pair if (problem := child.problem())}
        if problems:
            print(f"{engine}: left out ({'; '.join(problems)})")
            for child in pair:
                child.end()
        else:
            children[engine] = pair
    return children


def measure(children: list[Child], steps: int) -> Measured:
    """All of an engine's processes at once: the sum of their rates and of their memory."""
    for child in children:
        child.ask(steps)
    found = [child.answer() for child in children]
    return Measured(sum(f.rate for f in found), sum(f.peak for f in found))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn", choices=["cnn", "lstm", "resnet32"])
    parser.add_argument("--processes", type=int, default=1, help="of each engine, at once")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), help="; ".join(ENGINES))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    cores = torch.get_num_threads()
    dtype = resolve("auto", "cpu")
    children = started(options.model, options.processes, cores, options.engines)
    floors: list[float] = []
    rates: dict[str, list[float]] = {engine: [] for engine in children}
    peaks: dict[str, float] = {}
    for _ in range(options.repeats):
        floors.append(matrix_rate(dtype) / products_per_image(options.model))
        for engine, pair in children.items():
            found = measure(pair, options.steps)
            rates[engine].append(found.rate)
            peaks[engine] = found.peak
    for pair in children.values():
        for child in pair:
            child.end()
    floor = statistics.median(floors)
    medians = {engine: statistics.median(found) for engine, found in rates.items()}
    ours = medians.get("unskew")
    if options.json:
        print(
            json.dumps(
                {
                    "model": options.model, "batch": BATCH, "cores": cores,
                    "processes": options.processes, "repeats": options.repeats,
                    "precision": str(dtype), "floor": floor, "images_per_second": rates,
                    "peak_mib": peaks,
                }
            )
        )  # fmt: skip
        return
    print(
        f"{options.model}, batch {BATCH}, {options.processes} process(es) on {cores} cores, "
        f"ours in {dtype}; medians of {options.repeats}"
    )
    print(f"{'':32}{'images/s':>10}{'range':>16}{'of floor':>10}{'ours is':>9}{'peak MiB':>10}")
    print(f"{'floor (matrix rate)':32}{floor:10,.0f}")
    for engine, middle in medians.items():
        spread = f"{min(rates[engine]):,.0f}–{max(rates[engine]):,.0f}"
        ratio = f"{ours / middle:.2f}×" if ours else "–"
        print(
            f"{engine:32}{middle:10,.0f}{spread:>16}{middle / floor:10.0%}{ratio:>9}"
            f"{peaks[engine]:10,.0f}"
        )


if __name__ == "__main__":
    main()
