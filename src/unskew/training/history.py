"""What is written down while a run trains."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import TextIO

from unskew.errors import UserError
from unskew.training.files import RUN_AGAIN, reading

ROUNDING = 0.01
"""Seconds; run.json keeps three decimals."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of one run.

    Attributes
    ----------
    epoch: 1 for the first.
    stage: name of the stage it belongs to.
    train_loss: mean of the epoch's step losses.
    train_accuracy: share of training images classified right as they were shown (network in
        training mode, before each update), in [0, 1].
    test_accuracy: accuracy after the epoch on the split that the run is evaluated on, in [0, 1].
    learning_rate: of the epoch's last step.
    seconds: wall time of the training steps, evaluation not included.
    images_per_second: training images over `seconds`.
    """

    epoch: int
    stage: str
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    learning_rate: float
    seconds: float
    images_per_second: float


@dataclass
class History:
    """Losses of every step and a record of every epoch, in order.

    Attributes
    ----------
    losses: training loss of each step, from the first.
    epochs: one record an epoch.
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[EpochRecord] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write `history.csv` (a row an epoch) and `losses.csv` (a row a step)."""
        names = [f.name for f in fields(EpochRecord)]
        with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(asdict(record) for record in self.epochs)
        with (folder / "losses.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["step", "loss"])
            rows.writerows((step, f"{loss:.6g}") for step, loss in enumerate(self.losses, 1))

    @classmethod
    def load(cls, folder: Path) -> History:
        """Read what `save` wrote.

        Raises
        ------
        UserError: a file is missing or damaged.
        """
        path = folder / "history.csv"
        with reading(path, RUN_AGAIN), path.open(newline="", encoding="utf-8") as file:
            epochs = [
                EpochRecord(
                    int(row["epoch"]),
                    row["stage"],
                    *(float(row[f.name]) for f in fields(EpochRecord)[2:]),
                )
                for row in _rows(file, [f.name for f in fields(EpochRecord)])
            ]
        path = folder / "losses.csv"
        with reading(path, RUN_AGAIN), path.open(newline="", encoding="utf-8") as file:
            losses = [float(row["loss"]) for row in _rows(file, ["step", "loss"])]
            if not losses:  # what has diverged has losses, if no whole epoch
                raise ValueError("no step")
        return cls(losses, epochs)

    def check_finished(self, folder: Path, train_seconds: float) -> None:
        """Whether what `load` read can be that of a run that came to its end.

        Parameters
        ----------
        train_seconds: of its run.json, the sum of the epochs': fewer rows add up to less.

        Raises
        ------
        UserError: there is no epoch, a figure is not finite, or seconds are missing.
        """
        with reading(folder / "history.csv", RUN_AGAIN):
            figures = [value for record in self.epochs for value in astuple(record)[2:]]
            if not figures or not all(map(math.isfinite, figures)):
                raise ValueError("no epoch, or a figure that is not finite")
        if abs(sum(record.seconds for record in self.epochs) - train_seconds) > ROUNDING:
            raise UserError(
                f"{folder / 'history.csv'} and run.json beside it do not fit together, so one of "
                f"them is damaged: {RUN_AGAIN}"
            )
        with reading(folder / "losses.csv", RUN_AGAIN):
            if not all(map(math.isfinite, self.losses)):
                raise ValueError("a loss is not finite")


def _rows(file: TextIO, header: list[str]) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(file)
    if reader.fieldnames != header:
        raise ValueError(f"the first row is not {header}")
    yield from reader
