"""Seconds of training until a test accuracy is reached, recipe against recipe.

    python benchmarks/time_to_accuracy.py --data cifar10 --recipes strong resnet32-usual
    python benchmarks/time_to_accuracy.py --data cifar10 --recipes strong --seeds 5 --device cuda \\
        --peer airbench

Each recipe is run to its end for every seed, on the same machine one after another. The clock is
that of the public speed-runs: whitening, training and the last evaluation, which has the recipe's
own test views, count; opening the data and evaluating after the other epochs do not. Accuracy
after these is with single views. Nothing is chosen by it. With `--peer airbench` the speed-run
itself trains in turn with ours, on the same card and the same images, by its own clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import speed_run
import torch

from unskew.data.imageset import Splits
from unskew.data.sources import open_data
from unskew.kernels.memory import keep_freed_memory
from unskew.training.history import History
from unskew.training.outcome import load_evaluation
from unskew.training.predict import predict_logits
from unskew.training.recipe import Recipe
from unskew.training.run import execute
from unskew.training.trainer import Trainer
from unskew.training.whitening import fit_whitening

TARGETS = (0.90, 0.94)
Timed = dict[str, str | int | float | None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--recipes", nargs="+", default=["strong", "resnet32-usual"])
    parser.add_argument("--peer", choices=["airbench"], help="on a CUDA device only")
    parser.add_argument("--epochs", type=int, help="instead of each recipe's own")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="keep the runs here, and go on from them")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.peer and (problem := speed_run.problem(options.device)):
        refuse(problem)
    keep_freed_memory()
    splits = open_data(options.data)
    if options.peer and (problem := speed_run.misfit(splits)):
        refuse(problem)
    out = options.out or Path(tempfile.mkdtemp())
    if options.peer:
        speed_run.write_images(splits, out / "peer")
    changes = {"data": options.data, "fingerprint": splits.fingerprint}
    if options.epochs:
        changes["epochs"] = options.epochs
    found: list[Timed] = []
    for seed in range(options.seeds):
        for name in options.recipes:
            recipe = Recipe.load(name, **changes, seed=seed)
            if not seed:
                warm_up(recipe, splits, options.device)
            found.append({"recipe": name, "seed": seed} | ours(recipe, splits, out, options.device))
            tell(found[-1], options.json)
        if options.peer:
            rows = speed_run.run(out / "peer", options.device)
            found.append({"recipe": speed_run.NAME, "seed": seed} | theirs(rows))
            tell(found[-1], options.json)
    compared = {name: ratios(found, name) for name in options.recipes} if options.peer else {}
    if options.json:
        print(json.dumps({"runs": found, "as fast as the peer": compared}))
    for name, shares in compared.items():
        if not options.json:
            tell({f"{name} beside {speed_run.NAME}, times as fast": ""} | shares, False)


def refuse(problem: str) -> None:
    """Say why the peer cannot be run, and end."""
    print(problem, file=sys.stderr)
    sys.exit(2)


def warm_up(recipe: Recipe, splits: Splits, device: str) -> None:
    """Three steps that do not count, as the speed-run has one: libraries choose their kernels."""
    Trainer(recipe.model_copy(update={"max_steps": 3}), splits, device).fit()


def ours(recipe: Recipe, splits: Splits, out: Path, device: str) -> Timed:
    """One run to its end."""
    folder = out / recipe.run_id
    outcome = execute(recipe, splits, folder, device=device)
    if not (folder / "evaluation.json").exists():
        return {"outcome": outcome.outcome}
    trainer = Trainer(recipe, splits, device)
    network = trainer.state.network
    whitening = taken(
        lambda: fit_whitening(network, trainer.shown.train, trainer.mean, trainer.std), device
    )

    def look() -> None:
        predict_logits(network, trainer.judged_batches, trainer.dtype, views=recipe.test_views)

    look()
    views = taken(look, device)
    seconds, points = whitening, []
    for record in History.load(folder).epochs:
        seconds += record.seconds
        points.append((seconds, record.test_accuracy))
    points.append((seconds + views, load_evaluation(folder).accuracy))
    return summed_up(points) | {"images_per_second": outcome.images_per_second}


def theirs(rows: list[speed_run.Row]) -> Timed:
    """One run of the peer."""
    return summed_up([(row.seconds, row.accuracy) for row in rows])


def summed_up(points: list[tuple[float, float]]) -> Timed:
    """Of (seconds, accuracy) after each epoch and after the last evaluation."""
    seconds, accuracy = points[-1]
    reached = {
        f"to {target:.0%}": next((round(s, 3) for s, found in points if found >= target), None)
        for target in TARGETS
    }
    return {"seconds": round(seconds, 3), "accuracy": accuracy} | reached


def taken(do: Callable[[], object], device: str) -> float:
    """Seconds, the device's work included."""
    begin = time.perf_counter()
    do()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def ratios(found: list[Timed], name: str) -> Timed:
    """The peer's median seconds over ours, where both got there with every seed."""
    shares: Timed = {}
    for column in ("seconds", *(f"to {target:.0%}" for target in TARGETS)):
        medians = []
        for recipe in (speed_run.NAME, name):
            values = [row.get(column) for row in found if row["recipe"] == recipe]
            numbers = [value for value in values if isinstance(value, float)]
            medians.append(statistics.median(numbers) if len(numbers) == len(values) else None)
        peer, own = medians
        shares[column] = round(peer / own, 3) if peer and own else None
    return shares


def tell(row: Timed, quiet: bool) -> None:
    """One run in a line."""
    parts = []
    for name, value in row.items():
        shown = "never" if value is None else f"{value:,.4g}" if isinstance(value, float) else value
        parts.append(f"{name} {shown}".strip())
    if not quiet:
        print(", ".join(parts), flush=True)


if __name__ == "__main__":
    main()
