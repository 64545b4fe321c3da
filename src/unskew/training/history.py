"""What is written down while a run trains."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


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
        """Read what `save` wrote."""
        with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
            epochs = [
                EpochRecord(
                    int(row["epoch"]),
                    row["stage"],
                    *(float(row[f.name]) for f in fields(EpochRecord)[2:]),
                )
                for row in csv.DictReader(file)
            ]
        with (folder / "losses.csv").open(newline="", encoding="utf-8") as file:
            losses = [float(row["loss"]) for row in csv.DictReader(file)]
        return cls(losses, epochs)
