"""Running what is left of a study on this machine, as many runs at once as there are cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from unskew.data.cores import cores
from unskew.data.imageset import Splits
from unskew.errors import UserError
from unskew.models.registry import model_source
from unskew.remedies.registry import remedy_sources
from unskew.study.cohorts import join
from unskew.study.describe import describe
from unskew.study.fitting import check_arms, check_runs
from unskew.study.parts import Confirmation
from unskew.study.plan import PlannedRun, plan, plan_second_stage
from unskew.study.processes import context
from unskew.study.progress import StudyProgress
from unskew.study.shortlist import Shortlist, make_shortlist, save_shortlists
from unskew.study.spec import Study
from unskew.study.store import Store
from unskew.study.twins import with_twins
from unskew.study.worker import Data, Over, Task, Told, work
from unskew.training.device import check_device

ATTEMPTS = 2
"""Times a run is tried whose worker dies (killed for memory, say) before it counts as failed."""
REPLICAS = 64
"""Runs at once on a GPU. More of them fill it no better, and take memory."""
GPU_WORKERS = 2
"""Processes that share a GPU: while one opens, evaluates or writes runs, the other's train."""
TICK = 0.5
"""Seconds between looks when nothing happens, so that time left is kept current."""


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    runs: dict[str, PlannedRun] = field(default_factory=dict)


def execute_study(
    study: Study,
    splits: Splits,
    out: Path,
    *,
    workers: int | None = None,
    replicas: int | None = None,
    device: str = "cpu",
    strict: bool = False,
    image_size: int | None = None,
    listen: Callable[[StudyProgress], None] = lambda progress: None,
) -> dict[str, str]:
    """Train every run of a study that is not done yet, and keep its tables current.

    A run is stored in a folder of its own and locked while it trains, so two processes may
    share one study; what is killed goes on from its last epoch.

    Parameters
    ----------
    study: with all overrides applied.
    splits: the opened data; workers open the same from the cache.
    out: the study's folder.
    workers: processes of one thread each; None: one a core, or `GPU_WORKERS` for a GPU.
    replicas: runs that a worker trains at once where they can be; None: 1 on a CPU, where the
        package's own kernels are faster, and `REPLICAS` on a GPU.
    listen: told of progress, at least twice a second.

    Returns
    -------
    Message by run id for each run that failed, and by its name for each second stage that could
    not be begun; empty if none did. A diverged run is no failure.

    Raises
    ------
    UserError: there is no such device, a recipe does not fit the data, the folder holds another
        study or other images' results, or cannot be written; nothing has been run or changed then.
    KeyboardInterrupt: passed on after the workers are stopped.
    """
    check_device(device)
    check_arms(study)
    study = _with_sources(study)
    runs = with_twins(plan(study, study.seeds, splits.fingerprint))
    check_runs(runs, splits)
    store = Store(out, study, splits.fingerprint)
    describe(out, runs, splits)
    train = partial(
        _train_all, store=store,
        data=Data(study.data, strict, image_size, splits.fingerprint),
        workers=workers or (cores() if device == "cpu" else GPU_WORKERS),
        replicas=replicas or (1 if device == "cpu" else REPLICAS), device=device, listen=listen,
    )  # fmt: skip
    failures = train(runs, write=lambda: store.write_tables(runs, splits.name))
    stages = study.expanded_confirmations()
    if not stages:
        store.drop_second_stage()
    if failures or not stages:
        return failures
    shortlists, failures = _make_shortlists(stages, runs, out)
    # Two second stages may have an arm in common, and its runs.
    fresh = with_twins({
        run.recipe.digest: run
        for stage in stages if stage.name in shortlists
        for run in plan_second_stage(
            study, shortlists[stage.name].arms, stage.seeds, splits.fingerprint
        )
    }.values())  # fmt: skip
    if fresh:
        failures |= train(fresh, write=lambda: store.write_second_stage(fresh, splits.name))
    return failures


def _with_sources(study: Study) -> Study:
    """The study, told which files define what is not the package's own."""
    of_remedies: dict[str, str] = {}
    of_models: dict[str, str] = {}
    for arm in study.expanded_arms().values():
        of_remedies |= remedy_sources(arm.recipe.remedy)
        if source := model_source(arm.recipe.model):
            of_models[arm.recipe.model] = source
    return study.model_copy(update={"model_sources": of_models, "remedy_sources": of_remedies})


def _make_shortlists(
    stages: list[Confirmation], runs: list[PlannedRun], out: Path
) -> tuple[dict[str, Shortlist], dict[str, str]]:
    """What each second stage runs, written into the folder, and why some run nothing.

    Both by the stage's name; what is wrong with one is no fault of the others.
    """
    shortlists: dict[str, Shortlist] = {}
    failures: dict[str, str] = {}
    for stage in stages:
        try:
            shortlist = make_shortlist(stage, runs, out)
        except UserError as error:
            failures[stage.name] = str(error)
            continue
        if shortlist is not None:
            shortlists[stage.name] = shortlist
    save_shortlists(out, shortlists)
    return shortlists, failures


def _train_all(
    runs: list[PlannedRun],
    *,
    write: Callable[[], None],
    store: Store,
    data: Data,
    workers: int,
    replicas: int,
    device: str,
    listen: Callable[[StudyProgress], None],
) -> dict[str, str]:
    """Train what is not done of `runs`, calling `write` whenever one is over."""
    waiting = [run for run in runs if not store.is_done(run)]
    write()
    if not waiting:
        return {}
    count = min(workers, len(waiting))
    progress = StudyProgress(list(waiting), count)
    pool = _Pool(data, count, replicas, device, store, progress)
    try:
        while pool.busy or progress.waiting:
            pool.hand_out()
            if pool.collect():
                write()
            listen(progress)
    finally:
        pool.stop()
    write()  # with what another process has finished
    return pool.failures


class _Pool:
    """Worker processes, what each is doing, and what went wrong."""

    def __init__(
        self,
        data: Data,
        count: int,
        replicas: int,
        device: str,
        store: Store,
        progress: StudyProgress,
    ) -> None:
        self._replicas = replicas
        self._data, self._device, self._store, self._progress = data, device, store, progress
        self._context = context(device)
        self._workers = [self._start() for _ in range(count)]
        self._attempts: dict[str, int] = {}
        self.failures: dict[str, str] = {}
        self._elsewhere: list[PlannedRun] = []

    @property
    def busy(self) -> bool:
        """Whether any worker has a run, or another process is to be waited for."""
        return any(worker.runs for worker in self._workers) or bool(self._elsewhere)

    def hand_out(self) -> None:
        """Give idle workers the next runs."""
        for worker in self._workers:
            if not worker.runs and (runs := self._next()):
                folder = self._store.folder
                worker.runs = {run.recipe.run_id: run for run in runs}
                for run in runs:
                    self._progress.begin(run)
                tasks = [
                    Task(
                        run.recipe.model_dump(),
                        folder(run.recipe),
                        None if run.twin is None else folder(run.twin),
                    )
                    for run in runs
                ]
                # A worker that died idle is met in `collect`, which tries its runs again.
                with suppress(BrokenPipeError, ConnectionResetError):
                    worker.connection.send(tasks)
        # What waits may wait for a twin that another process has, so look also where some do.
        if self._elsewhere and not any(worker.runs for worker in self._workers):
            self._look_elsewhere()

    def _next(self) -> list[PlannedRun]:
        """The first waiting run whose twin is over, or has failed and cannot be waited for, and
        those that can train together with it; one alone whose process has ended too often.
        """
        at_hand = [run for worker in self._workers for run in worker.runs.values()]
        pending = {
            run.recipe.digest for run in (*self._progress.waiting, *at_hand, *self._elsewhere)
        }
        ready = [
            run for run in self._progress.waiting
            if run.twin is None or run.twin.digest not in pending
        ]  # fmt: skip
        failing = [run for run in ready if self._attempts.get(run.recipe.run_id, 0) >= ATTEMPTS]
        return failing[:1] or join(ready, self._replicas)

    def collect(self) -> bool:
        """Take in what workers tell, for at most a tick; True if a run is over."""
        over, end = False, time.monotonic() + TICK
        for ready in wait([worker.connection for worker in self._workers], timeout=TICK):
            worker = next(w for w in self._workers if w.connection is ready)
            try:
                over |= self._take(worker, worker.connection.recv())
                # All that it has told: runs that train together are over together.
                while time.monotonic() < end and worker.connection.poll():
                    over |= self._take(worker, worker.connection.recv())
            except (EOFError, BrokenPipeError, ConnectionResetError):
                self._replace(worker)
        return over

    def _take(self, worker: _Worker, message: Told | Over) -> bool:
        """Take in one message; True if a run is over."""
        if isinstance(message, Told):
            self._progress.note(worker.runs[message.run], message.event)
            return False
        run = worker.runs.pop(message.run)
        if message.outcome == "busy":
            self._progress.leave(run)
            self._elsewhere.append(run)
            return False
        self._progress.end(run)
        if message.outcome == "failed":
            self.failures[run.recipe.run_id] = message.message
        return True

    def stop(self) -> None:
        """End all workers now; their runs go on from the last epoch next time."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=work, args=(theirs, self._data, 1, self._device, dict(os.environ)), daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _look_elsewhere(self) -> None:
        """Runs that another process has: done by now, or to be tried again."""
        time.sleep(TICK)
        again = [run for run in self._elsewhere if not self._store.is_done(run)]
        self._elsewhere.clear()
        self._progress.waiting += again

    def _replace(self, worker: _Worker) -> None:
        """A worker has died: try its runs again in a new one, which goes on from checkpoints."""
        worker.process.join()
        code = worker.process.exitcode
        self._workers[self._workers.index(worker)] = self._start()
        for name, run in worker.runs.items():
            self._attempts[name] = self._attempts.get(name, 0) + 1
            # Of several that trained together one may be at fault: each gets an attempt alone.
            if self._attempts[name] < ATTEMPTS or len(worker.runs) > 1:
                self._progress.leave(run)
                self._progress.waiting.insert(0, run)
            else:
                self._progress.end(run)
                self.failures[name] = (
                    f"its process ended {self._attempts[name]} times (code {code})"
                )
