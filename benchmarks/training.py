"""Images per second of a training, ours beside its peers, interleaved in one run.

    python benchmarks/training.py --model cnn
    python benchmarks/training.py --model lstm --processes 2 --json

Every engine has a process of its own (with `--processes 2`, two of one thread each, as a study
runs them). They train in turn, some steps each, and medians over the repeats are told. Between
them, in as many processes and threads, the machine's matrix products and its memory are measured:
from these, and from what a step has to multiply and to move, follows the floor, the least time
that it could take in bfloat16 and in float32. Peers that are not installed are left out: see
requirements.txt beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict

import torch
from child import Child, at_once
from engines import BATCH, ENGINES
from floor import Floor, added, floor, told
from machine import Rates, probe
from trained import training
from work import work

from unskew.training.precision import resolve


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

    cores, processes = torch.get_num_threads(), options.processes
    precision = str(resolve("auto", "cpu")).removeprefix("torch.")
    # A processor without bfloat16 would take minutes to multiply large matrices in it.
    formats = list(dict.fromkeys([precision, "float32"]))
    needed = work(options.model)
    kept = [needed.kept * BATCH * width for width in (2, 4)]
    probes = [Child(cores // processes, probe, formats, kept) for _ in range(processes)]
    for child in probes:
        child.problem()
    children = started(options.model, processes, cores, options.engines)
    machine: list[Rates] = []
    rates: dict[str, list[float]] = {engine: [] for engine in children}
    peaks: dict[str, float] = {}
    for _ in range(options.repeats):
        machine.append(added(at_once(probes, 1)))
        for engine, group in children.items():
            found = at_once(group, options.steps)
            rates[engine].append(sum(measured.rate for measured in found))
            peaks[engine] = sum(measured.peak for measured in found)
    for child in [*probes, *(child for group in children.values() for child in group)]:
        child.end()
    floors = [floor(needed, name, BATCH, machine) for name in formats]
    if options.json:
        facts = {
            "model": options.model, "batch": BATCH, "cores": cores, "processes": processes,
            "repeats": options.repeats, "steps": options.steps, "precision": precision,
            "work": asdict(needed), "floors": [as_json(f) for f in floors],
            "machine": {f"{kind} {size}": [once[kind, size] for once in machine]
                        for kind, size in machine[0]},
            "images_per_second": rates, "peak_mib": peaks,
        }  # fmt: skip
        print(json.dumps(facts))
        return
    print(
        f"{options.model}, batch {BATCH}, {processes} process(es) on {cores} cores, "
        f"ours in {precision}; medians of {options.repeats}\n"
    )
    print("\n".join([*told(floors, needed, machine), "", *compared(rates, peaks, floors)]))


def started(model: str, processes: int, cores: int, wanted: list[str]) -> dict[str, list[Child]]:
    """Children by engine; what cannot run is told and left out."""
    children: dict[str, list[Child]] = {}
    for engine in wanted:
        group = [Child(cores // processes, training, engine, model) for _ in range(processes)]
        problems = {problem for child in group if (problem := child.problem())}
        if problems:
            print(f"{engine}: left out ({'; '.join(problems)})")
            for child in group:
                child.end()
        else:
            children[engine] = group
    return children


def as_json(floor: Floor) -> dict[str, object]:
    """The floor with what follows from its fields."""
    parts = {"arithmetic": floor.arithmetic, "moving": floor.moving}
    return asdict(floor) | parts | {"images_per_second": floor.images_per_second}


def compared(
    rates: dict[str, list[float]], peaks: dict[str, float], floors: list[Floor]
) -> list[str]:
    """The engines as lines of a table."""
    medians = {engine: statistics.median(found) for engine, found in rates.items()}
    ours = medians.get("unskew")
    columns = "".join(f"{'of ' + f.precision:>12}" for f in floors)
    lines = [f"{'':30}{'images/s':>9}{'range':>15}{columns}{'ours is':>9}{'peak MiB':>10}"]
    for engine, middle in medians.items():
        spread = f"{min(rates[engine]):,.0f}–{max(rates[engine]):,.0f}"
        shares = "".join(f"{middle / f.images_per_second:12.0%}" for f in floors)
        ratio = f"{ours / middle:.2f}×" if ours else "–"
        lines.append(
            f"{engine:30}{middle:9,.0f}{spread:>15}{shares}{ratio:>9}{peaks[engine]:10,.0f}"
        )
    return lines


if __name__ == "__main__":
    main()
