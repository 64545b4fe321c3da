"""Seconds of training until a test accuracy is reached, recipe against recipe.

    python benchmarks/time_to_accuracy.py --data cifar10 --recipes strong resnet32-usual

Each recipe is run to its end for every seed, on the same machine one after another. Evaluation is
not counted, as in the public speed-runs; test accuracy after an epoch is with the recipe's own
test views only at the end of the run, and with single views before. Nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from unskew.data.sources import open_data
from unskew.kernels.memory import keep_freed_memory
from unskew.training.history import History
from unskew.training.recipe import Recipe
from unskew.training.run import execute, load_evaluation

TARGETS = (0.90, 0.94)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--recipes", nargs="+", default=["strong", "resnet32-usual"])
    parser.add_argument("--epochs", type=int, help="instead of each recipe's own")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="keep the runs here, and go on from them")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    keep_freed_memory()
    splits = open_data(options.data)
    out = options.out or Path(tempfile.mkdtemp())
    changes = {"data": options.data, "fingerprint": splits.fingerprint}
    if options.epochs:
        changes["epochs"] = options.epochs
    found = []
    for name in options.recipes:
        for seed in range(options.seeds):
            recipe = Recipe.load(name, **changes, seed=seed)
            folder = out / recipe.run_id
            outcome = execute(recipe, splits, folder, device=options.device)
            row = {"recipe": name, "seed": seed, "seconds": outcome.train_seconds}
            row["images_per_second"] = outcome.images_per_second
            row["accuracy"] = load_evaluation(folder).accuracy
            row |= {f"to {target:.0%}": reached(folder, target) for target in TARGETS}
            found.append(row)
            if not options.json:
                print(told(row))
    if options.json:
        print(json.dumps(found))


def reached(folder: Path, target: float) -> float | None:
    """Seconds of training until the first epoch whose test accuracy is at least `target`."""
    seconds = 0.0
    epochs = History.load(folder).epochs
    last = load_evaluation(folder).accuracy
    for record in epochs:
        seconds += record.seconds
        accuracy = last if record is epochs[-1] else record.test_accuracy
        if accuracy >= target:
            return round(seconds, 2)
    return None


def told(row: dict[str, object]) -> str:
    """One run in a line."""
    parts = []
    for name, value in row.items():
        shown = "never" if value is None else f"{value:,.4g}" if isinstance(value, float) else value
        parts.append(f"{name} {shown}")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
