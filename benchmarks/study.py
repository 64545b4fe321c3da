"""The coursework study from the command to the report, beside plain loops one after another.

    python benchmarks/study.py --images 12000 --epochs 2

Ours is `unskew study coursework` on an archive of made-up photographs, all of it: opening the
archive, every run of the study with its evaluations, the choice, the figures and the report. The
peer is a float32 loop over tensors in memory that trains the same runs on as many images for as
many epochs and evaluates after each; it repeats minority images where the study does, but does
not rotate them, and it opens nothing and writes nothing. A fifth of the images or less keeps this
under ten minutes; with all 60,000 and 5 epochs it is the real study.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from decoding import make_archive
from engines import BATCH, MEAN, STD
from engines.plain_torch import train_step

from unskew.data.batches import View
from unskew.data.imageset import Splits
from unskew.data.sources import open_data
from unskew.models.registry import build
from unskew.study.plan import PlannedRun, plan
from unskew.study.spec import Study
from unskew.training.recipe import Recipe
from unskew.training.shown import select


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=12_000, help="a sixth of them to test on")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        archive = make_archive(folder / "made-up.zip", options.images)
        study = Study.load("coursework").override(
            data=str(archive), seeds=1, recipe={"epochs": options.epochs}
        )
        splits = open_data(str(archive), cache=folder / "peer")
        runs = plan(study, 1, splits.fingerprint)
        for repeat in range(options.repeats):
            ours.append(our_study(archive, folder / f"ours-{repeat}", options.epochs))
            theirs.append(plain_study(runs, splits))
    ratio = statistics.median(theirs) / statistics.median(ours)
    if options.json:
        print(json.dumps({"unskew": ours, "plain": theirs, "runs": len(runs), "ratio": ratio}))
        return
    print(f"{len(runs)} runs of {options.epochs} epochs on {options.images:,} images")
    print(f"unskew study coursework      {statistics.median(ours):8.0f} s")
    print(f"plain loops, one by one      {statistics.median(theirs):8.0f} s")
    print(f"ours is {ratio:.2f}× as fast")


def our_study(archive: Path, folder: Path, epochs: int) -> float:
    """Seconds of the whole command, with an empty cache."""
    command = [
        sys.executable, "-m", "unskew", "study", "coursework", "--data", str(archive),
        "--seeds", "1", "--epochs", str(epochs), "--out", str(folder / "out"),
    ]  # fmt: skip
    environment = os.environ | {"UNSKEW_CACHE": str(folder / "cache")}
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - begin


def plain_study(runs: list[PlannedRun], splits: Splits) -> float:
    """Seconds of all runs, one after another on all cores."""
    begin = time.perf_counter()
    for run in runs:
        shown = select(run.recipe, splits)
        _plain_run(run.recipe, _tensors(shown.train), _tensors(shown.judged))
    return time.perf_counter() - begin


def _tensors(view: View) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.from_numpy(view.images.images[view.positions])
    images = pixels.permute(0, 3, 1, 2).float().sub_(MEAN).div_(STD).contiguous()
    return images, torch.from_numpy(view.labels)


def _plain_run(
    recipe: Recipe,
    train: tuple[torch.Tensor, torch.Tensor],
    test: tuple[torch.Tensor, torch.Tensor],
) -> None:
    network = build(recipe.model, 10)
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.learning_rate, recipe.momentum,
        weight_decay=recipe.weight_decay,
    )  # fmt: skip
    images, labels = train
    for _ in range(recipe.epochs):
        network.train()
        for indices in _order(labels, recipe.remedy == "oversample_augmented").split(BATCH):
            shown = images[indices]
            flips = torch.rand(len(shown)) < 0.5
            shown[flips] = shown[flips].flip(3)
            train_step(network, optimizer, shown, labels[indices])
        network.eval()
        with torch.no_grad():
            for some, truth in zip(test[0].split(500), test[1].split(500), strict=True):
                F.cross_entropy(network(some), truth).item()


def _order(labels: torch.Tensor, oversampled: bool) -> torch.Tensor:
    """An epoch's positions, shuffled; each class as often as the largest where oversampled."""
    if oversampled:
        classes = [torch.where(labels == k)[0] for k in range(10)]
        largest = max(map(len, classes))
        shown = torch.cat([
            torch.cat([own, own[torch.randint(len(own), (largest - len(own),))]])
            for own in classes
        ])  # fmt: skip
    else:
        shown = torch.arange(len(labels))
    return shown[torch.randperm(len(shown))]


if __name__ == "__main__":
    main()
