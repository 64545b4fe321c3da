"""One recipe from start to finish, and the folder it leaves behind."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from unskew.data.batches import Batches
from unskew.data.imageset import Splits
from unskew.errors import UserError
from unskew.evaluation.evaluation import evaluate_logits
from unskew.models.registry import model_source
from unskew.remedies.base import HeldOut
from unskew.remedies.compose import parts_of
from unskew.remedies.registry import remedy_sources
from unskew.training.checkpoint import load_state, save_state
from unskew.training.device import fitting_on
from unskew.training.divergence import Diverged
from unskew.training.events import Event, RunEnded
from unskew.training.files import PART, save_tensors, write_whole, writing
from unskew.training.outcome import DIVERGED, FINISHED, RunOutcome, load_outcome
from unskew.training.predict import predict_logits
from unskew.training.recipe import Recipe
from unskew.training.stages import unbegun
from unskew.training.trainer import Trainer
from unskew.training.twin import adopt, training_twin

FOLDER = "the run's folder"


def execute(
    recipe: Recipe,
    splits: Splits,
    folder: Path,
    *,
    listen: Callable[[Event], None] = lambda event: None,
    device: str = "cpu",
    threads: int | None = None,
    twin: Path | None = None,
) -> RunOutcome:
    """Train a recipe to its end and write its folder; a finished one is returned as it is.

    A checkpoint is written after every epoch, so a killed run loses at most the epoch in
    progress when it is executed again.

    Parameters
    ----------
    recipe, splits: what to run and the opened data that it names.
    folder: of this run alone: recipe.toml, history.csv, losses.csv, model.safetensors,
        logits.safetensors, evaluation.json, and run.json last, which marks it as over.
    listen: told of progress.
    threads: of this process's matrix products; None leaves PyTorch's setting.
    twin: folder of the run of `training_twin(recipe)`; if that is over, its training is taken
        over and only what follows training is done.

    Raises
    ------
    UserError: the recipe does not fit the data or was made for others, the folder holds another
        run or cannot be written, the twin's holds a run that is not the recipe's twin, or the
        device is full.
    """
    done = load_outcome(folder)
    if done is not None:
        check_same(done.run_id, recipe, folder)
        listen(RunEnded(done.run_id, done.outcome, done.message))
        return done
    if threads is not None:
        torch.set_num_threads(threads)
    trained = None if twin is None else load_outcome(twin)
    if twin is not None and trained is not None:
        _check_twin(trained.run_id, recipe, twin)
    with fitting_on(device, f"the run {folder}"):
        run = open_run(recipe, splits, folder, device)
        if twin is not None and trained is not None:
            adopt(run.trainer, twin, trained.outcome == DIVERGED)
            return run.close(trained.outcome, trained.message, listen, trained_by=trained.run_id)
        try:
            with writing(FOLDER, folder):
                run.trainer.fit(listen, lambda state: save_state(state, run.checkpoint))
        except Diverged as error:
            return run.close(DIVERGED, str(error), listen)
        return run.close(FINISHED, "", listen)


@dataclass(frozen=True)
class OpenRun:
    """A run that has begun: its trainer, where it left off, and its folder."""

    trainer: Trainer
    splits: Splits
    folder: Path
    started: datetime

    @property
    def checkpoint(self) -> Path:
        """Where its state is kept until it is over."""
        return self.folder / "checkpoint.safetensors"

    def close(
        self,
        outcome: str,
        message: str,
        listen: Callable[[Event], None],
        trained_by: str = "",
    ) -> RunOutcome:
        """Judge what was trained, if it has not diverged, and write what the folder lacks.

        Raises
        ------
        UserError: the folder cannot be written.
        """
        with writing(FOLDER, self.folder):
            if outcome == FINISHED:
                try:
                    message = _judge(self.trainer, self.splits, self.folder)
                except Diverged as error:
                    outcome, message = DIVERGED, str(error)
            self.trainer.state.history.save(self.folder)
            result = _outcome(self.trainer, outcome, message, self.started)
            result = replace(result, trained_by=trained_by)
            write_whole(self.folder / "run.json", json.dumps(asdict(result), indent=2))
            self.checkpoint.unlink(missing_ok=True)
            for scrap in self.folder.glob(f"*{PART}"):
                scrap.unlink(missing_ok=True)  # of a process that was killed while it wrote
        listen(RunEnded(result.run_id, outcome, message))
        return result


def open_run(recipe: Recipe, splits: Splits, folder: Path, device: str) -> OpenRun:
    """A trainer for the recipe that stands where the folder's checkpoint left it, if it has one.

    Raises
    ------
    UserError: the recipe does not fit the data or was made for others, the checkpoint is damaged
        or another run's, or the folder cannot be written.
    torch.OutOfMemoryError: the GPU is full, which is no fault of the checkpoint.
    """
    if recipe.fingerprint and recipe.fingerprint != splits.fingerprint:
        raise UserError(
            f"the run {recipe.run_id!r} is of other images than those of {splits.name!r}: open the "
            "data that its recipe names, or give the recipe their fingerprint"
        )
    _check_sources(recipe)
    run = OpenRun(Trainer(recipe, splits, device), splits, folder, datetime.now(UTC))
    saved = load_state(run.checkpoint) if run.checkpoint.exists() else None
    if saved is not None and "run" in saved[1]:  # older versions did not write whose it is
        check_same(saved[1]["run"], recipe, folder)
    with writing(FOLDER, folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "recipe.toml", recipe.to_toml())
    if saved is not None:
        try:
            run.trainer.restore(saved)
        except torch.OutOfMemoryError:  # a RuntimeError, and no fault of the file
            raise
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise UserError(
                f"{run.checkpoint} is damaged: delete it to start this run afresh"
            ) from None
    return run


def _check_sources(recipe: Recipe) -> None:
    """Raise a UserError if a network or remedy is not what it was when the run was planned."""
    now = {f"remedy {name!r}": digest for name, digest in remedy_sources(recipe.remedy).items()}
    then = {f"remedy {name!r}": digest for name, digest in recipe.remedy_sources.items()}
    if recipe.model_source:
        model = f"network {recipe.model!r}"
        now[model], then[model] = model_source(recipe.model), recipe.model_source
    for what in now.keys() & then.keys():
        if now[what] != then[what]:
            raise UserError(
                f"the file that defines {what} has changed since the run {recipe.run_id!r} was "
                "planned: give the same command again"
            )


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """A run's folder, made if need be, is this process's alone meanwhile.

    Raises
    ------
    Timeout: another process has it.
    UserError: it cannot be written.
    """
    lock = FileLock(folder / ".lock")
    busy = False
    with writing(FOLDER, folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:  # an OSError, and no fault of the folder
            busy = True
    if busy:
        raise Timeout(lock.lock_file)
    try:
        yield
    finally:
        lock.release()


def check_same(run_id: str, recipe: Recipe, folder: Path) -> None:
    """Raise a UserError if a folder holds another run than the recipe's."""
    if run_id != recipe.run_id:
        raise UserError(f"{folder} holds the run {run_id!r}: name another folder")


def _check_twin(run_id: str, recipe: Recipe, folder: Path) -> None:
    wanted = training_twin(recipe)
    if wanted is None:
        raise UserError(f"the run {recipe.run_id!r} has a training of its own: leave twin out")
    if run_id != wanted.run_id:
        raise UserError(
            f"{folder} holds the run {run_id!r}, and the training to take over is that of "
            f"{wanted.run_id!r}: name its folder as twin"
        )


def _judge(trainer: Trainer, splits: Splits, folder: Path) -> str:
    """Evaluate the trained network and write weights, logits and evaluation.

    Raises
    ------
    Diverged: the last step, whose loss nobody saw, has left nothing to evaluate.
    """
    network, facts, remedy = trainer.state.network, trainer.facts, trainer.remedy
    logits, views = trainer.judge().cpu(), trainer.recipe.test_views
    held_out: tuple[Tensor, Tensor] | tuple[None, None] = (None, None)
    if trainer.shown.held_out is not None:
        apart = Batches(trainer.shown.held_out, trainer.mean, trainer.std, trainer.device)
        known = predict_logits(network, apart, trainer.dtype, views=views).cpu()
        held_out = known, apart.labels.cpu()
    if not logits.isfinite().all():
        raise Diverged("the trained network's logits are not finite: lower the learning rate")
    adjustment = remedy.adjustment(facts, HeldOut(logits, *held_out))
    labels = torch.from_numpy(trainer.shown.judged.labels)
    tensors = {"logits": logits, "labels": labels}
    if adjustment is not None:
        tensors |= {"scale": adjustment.scale, "shift": adjustment.shift}
        logits = adjustment(logits)
    evaluation = evaluate_logits(
        logits.numpy(),
        labels.numpy(),
        class_names=splits.train.class_names,
        train_counts=facts.counts,
        split=trainer.shown.split,
    )
    save_tensors(network.state_dict(), folder / "model.safetensors")
    save_tensors(tensors, folder / "logits.safetensors")
    write_whole(folder / "evaluation.json", evaluation.to_json())
    idle = [part.idle(facts) for part in parts_of(remedy)]
    notes = [_cut_short(trainer), *idle, "" if adjustment is None else adjustment.note]
    return "; ".join(filter(None, notes))


def _cut_short(trainer: Trainer) -> str:
    """What of a remedy the run has not come to, since `max_steps` ended it."""
    left, recipe = _unbegun(trainer), trainer.recipe
    if not left:
        return ""
    return f"max_steps = {recipe.max_steps} ended it before {left[0]!r} of {recipe.remedy} began"


def _unbegun(trainer: Trainer) -> list[str]:
    if trainer.recipe.max_steps is None:
        return []
    return unbegun(trainer.recipe, trainer.state.history)


def _outcome(trainer: Trainer, outcome: str, message: str, started: datetime) -> RunOutcome:
    epochs = trainer.state.history.epochs
    seconds = sum(epoch.seconds for epoch in epochs)
    images = sum(epoch.seconds * epoch.images_per_second for epoch in epochs)
    return RunOutcome(
        run_id=trainer.recipe.run_id,
        outcome=outcome,
        message=message,
        train_seconds=round(seconds, 3),
        images_per_second=round(images / seconds, 1) if seconds else 0.0,
        precision=str(trainer.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        device=trainer.device,
        torch_version=torch.__version__,
        processor=platform.processor() or platform.machine(),
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        mean=tuple(float(value) for value in trainer.mean),
        std=tuple(float(value) for value in trainer.std),
        kernels=trainer.kernels,
        steps=len(trainer.state.history.losses),
        unbegun=tuple(_unbegun(trainer)) if outcome == FINISHED else (),
    )
