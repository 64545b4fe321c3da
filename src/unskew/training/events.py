"""What a run announces while it trains; who listens is no concern of the trainer."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.training.history import EpochRecord


@dataclass(frozen=True)
class EpochBegan:
    """`epoch` (1 for the first) of `epochs` begins; it has `steps` steps."""

    epoch: int
    epochs: int
    steps: int


@dataclass(frozen=True)
class StepsDone:
    """`step` of the epoch's `steps` are done; `loss` is that of the latest."""

    step: int
    steps: int
    loss: float
    images_per_second: float


@dataclass(frozen=True)
class EpochEnded:
    """An epoch is trained and evaluated."""

    record: EpochRecord


@dataclass(frozen=True)
class RunEnded:
    """The run is over and its folder is written."""

    run_id: str
    outcome: str
    message: str


Event = EpochBegan | StepsDone | EpochEnded | RunEnded
