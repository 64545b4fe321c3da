"""The public speed-run on CIFAR-10 as a peer: airbench94 (Jordan 2024), run from its own package.

    python benchmarks/speed_run.py FOLDER

trains it on the images that `write_images` has put there, on the first CUDA device, and prints its
own table. `time_to_accuracy.py --peer airbench` does both, beside ours. It has a process of its
own, since importing it changes PyTorch's settings and it reads its images from the current folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from unskew.data.imageset import Splits

NAME = "airbench94"
FOLDER = "cifar10"
"""Below the current folder, where the package looks before it downloads anything."""


@dataclass(frozen=True)
class Row:
    """A row of its table: after an epoch, or of the last evaluation, which has several views.

    Attributes
    ----------
    epoch: None for the last evaluation.
    seconds: by its own clock, which whitening, training and the last evaluation count for.
    """

    epoch: int | None
    accuracy: float
    seconds: float


def problem(device: str) -> str | None:
    """Why it cannot be run here, in a sentence; None if it can."""
    missing = [name for name in ("airbench", "torchvision") if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        return f"airbench needs {names}: pip install -r benchmarks/requirements.txt"
    if not device.startswith("cuda"):
        return "airbench trains on a CUDA device only: name one with --device cuda"
    if not torch.cuda.is_available():
        return "airbench trains on a CUDA device only, and PyTorch sees none"
    return None


def misfit(splits: Splits) -> str | None:
    """Why it cannot be trained on these images, in a sentence; None if it can."""
    if splits.train.image_shape != (32, 32, 3) or splits.train.num_classes != 10:
        return "airbench takes images of 32×32 pixels in ten classes only"
    return None


def write_images(splits: Splits, folder: Path) -> None:
    """Lay the images down as the package stores what it has downloaded."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for half in ("train", "test"):
        images = getattr(splits, half)
        torch.save(
            {
                "images": torch.tensor(images.images),
                "labels": torch.tensor(images.labels),
                "classes": list(images.class_names),
            },
            folder / FOLDER / f"{half}.pt",
        )


def run(folder: Path, device: str = "cuda") -> list[Row]:
    """Train it once in a new process, on the images that `write_images` put into the folder.

    Raises
    ------
    SystemExit: it failed; its own last words are passed on.
    """
    command = [sys.executable, str(Path(__file__).resolve()), str(folder)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": _card(device)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise SystemExit(f"{NAME} failed: {last}")
    return read_table(done.stdout)


def read_table(text: str) -> list[Row]:
    """The rows of the table that the package prints, all but those of its warm-up."""
    rows = []
    names: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if "total_time_seconds" in cells:
            names, rows = cells, []
        elif line.startswith("|") and names:
            row = dict(zip(names, cells, strict=True))
            last = row["epoch"] == "eval"
            accuracy = row["tta_val_acc"] if last else row["val_acc"]
            if accuracy:
                epoch = None if last else int(row["epoch"]) + 1
                rows.append(Row(epoch, float(accuracy), float(row["total_time_seconds"])))
    if not rows or rows[-1].epoch is not None:
        raise SystemExit(f"{NAME} printed another table than was expected")
    return rows


def _card(device: str) -> str:
    """Of the cards that this process may see, the one of this name, as the environment has it."""
    index = int(device.partition(":")[2] or 0)
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return seen.split(",")[index] if seen else str(index)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: speed_run.py FOLDER")
    os.chdir(sys.argv[1])
    import airbench

    airbench.warmup94()  # one step; without its table it would be a whole training
    airbench.train94()


if __name__ == "__main__":
    main()
