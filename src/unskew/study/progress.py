"""How far a study is and how long it will take, from the events of its runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from unskew.study.plan import PlannedRun
from unskew.training.events import EpochBegan, EpochEnded, Event, StepsDone


@dataclass
class Current:
    """A run at hand: where it is, and what it last told."""

    run: PlannedRun
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    accuracy: float | None = None
    images_per_second: float = 0.0

    @property
    def share(self) -> float:
        """Of the run's work that is done, in [0, 1]."""
        if not self.epochs or not self.steps:
            return 0.0
        return (max(self.epoch - 1, 0) + self.step / self.steps) / self.epochs


@dataclass(frozen=True)
class _Kind:
    """What runs of like cost have in common."""

    model: str
    skewed: bool
    remedy: str
    epochs: int
    taken_over: bool


@dataclass
class StudyProgress:
    """Fed by events; asked by whoever draws.

    The cost of a run is taken as the mean seconds that runs of its model and length have
    taken in this session; until one has, as the mean of all that train, weighted by epochs, and as
    nothing for a run that takes over its twin's training.

    Parameters
    ----------
    waiting: runs that are still to be done.
    workers: how many go at once.
    """

    waiting: list[PlannedRun]
    workers: int
    done: int = 0
    current: dict[str, Current] = field(default_factory=dict)
    _started: dict[str, float] = field(default_factory=dict)
    _seconds: dict[_Kind, list[float]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Runs of this session."""
        return self.done + len(self.current) + len(self.waiting)

    def begin(self, run: PlannedRun) -> None:
        """A worker takes up a run."""
        self.waiting.remove(run)
        self.current[run.recipe.run_id] = Current(run)
        self._started[run.recipe.run_id] = time.monotonic()

    def note(self, run: PlannedRun, event: Event) -> None:
        """A run tells where it is."""
        at = self.current[run.recipe.run_id]
        match event:
            case EpochBegan(epoch, epochs, steps):
                at.epoch, at.epochs, at.step, at.steps = epoch, epochs, 0, steps
            case StepsDone(step, steps, loss, rate):
                at.step, at.steps, at.loss, at.images_per_second = step, steps, loss, rate
            case EpochEnded(record):
                at.accuracy = record.test_accuracy

    def end(self, run: PlannedRun) -> None:
        """A run is over."""
        took = time.monotonic() - self._started.pop(run.recipe.run_id)
        self.current.pop(run.recipe.run_id)
        self._seconds.setdefault(_kind(run), []).append(took)
        self.done += 1

    def leave(self, run: PlannedRun) -> None:
        """A run is not done and no worker has it: another process does, or its worker died. It is
        no longer one of ours unless it comes back to those that wait.
        """
        self._started.pop(run.recipe.run_id)
        self.current.pop(run.recipe.run_id)

    def seconds_left(self) -> float | None:
        """Estimated wall time to the end of the study; None until something is measured."""
        running = [
            (time.monotonic() - self._started[name], at.share, at.run)
            for name, at in self.current.items()
            if at.share > 0.02
        ]
        measured = {kind: sum(took) / len(took) for kind, took in self._seconds.items()}
        for elapsed, share, run in running:
            measured.setdefault(_kind(run), elapsed / share)
        if not measured:
            return None
        trained = [s / kind.epochs for kind, s in measured.items() if not kind.taken_over]
        an_epoch = sum(trained) / len(trained) if trained else 0.0

        def cost(run: PlannedRun) -> float:
            unknown = 0.0 if run.twin else an_epoch * run.recipe.epochs
            return measured.get(_kind(run), unknown)

        work = sum(map(cost, self.waiting))
        work += sum(cost(at.run) * (1 - at.share) for at in self.current.values())
        # Runs that train together share a worker; each seems to take as long as all of them.
        return work / max(self.workers, len(self.current))


def _kind(run: PlannedRun) -> _Kind:
    recipe = run.recipe
    skewed = recipe.skew is not None
    return _Kind(recipe.model, skewed, recipe.remedy, recipe.epochs, run.twin is not None)
