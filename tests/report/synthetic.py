"""A study's folder with made-up figures: what a report is tested and looked at with.

Nothing is trained. Histories and logits are drawn so that they look like training, from a
strength that the caller gives each arm.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from unskew.data.imageset import ImageSet, Splits
from unskew.data.randomness import stream
from unskew.data.skew import describe_skew
from unskew.evaluation.evaluation import evaluate_logits
from unskew.report.catalogue import Words
from unskew.report.context import Context
from unskew.study.describe import describe
from unskew.study.plan import PlannedRun, plan, plan_second_stage
from unskew.study.results import load_results
from unskew.study.shortlist import make_shortlist, save_shortlists
from unskew.study.spec import Study
from unskew.study.twins import with_twins
from unskew.training.history import EpochRecord, History
from unskew.training.outcome import DIVERGED, FINISHED, RunOutcome
from unskew.training.stages import unbegun

CLASSES, PER_CLASS, TEST_PER_CLASS, STEPS = 10, 100, 50, 40
NAMES = tuple(f"synthetic {k}" for k in range(CLASSES))


def make_splits(size: int = 8) -> Splits:
    """Noise, tinted by class."""
    rng = stream(0, "synthetic images")

    def half(each: int) -> ImageSet:
        labels = np.repeat(np.arange(CLASSES, dtype=np.int64), each)
        pixels = rng.integers(0, 140, (len(labels), size, size, 3))
        pixels[..., 0] += labels[:, None, None] * 11
        return ImageSet(pixels.astype(np.uint8), labels, NAMES)

    return Splits("synthetic noise", half(PER_CLASS), half(TEST_PER_CLASS), "5eed")


def write_study(
    out: Path,
    study: Study,
    *,
    strength: Callable[[PlannedRun], float] = lambda run: 2.0,
    leave_out: Callable[[PlannedRun], bool] = lambda run: False,
    diverge: Callable[[PlannedRun], bool] = lambda run: False,
    image_size: int = 8,
    data: tuple[str, str] = ("synthetic noise", "5eed"),
) -> Path:
    """Write the folder of a study as if it had run.

    Parameters
    ----------
    strength: how far the right class's logit stands out in a run; about 1 is hardly better
        than chance, 4 is nearly always right.
    leave_out: runs that have not run yet.
    diverge: runs that ended with a loss that is not a number.
    data: what the images are called, and their fingerprint.
    """
    name, fingerprint = data
    splits = replace(make_splits(image_size), name=name, fingerprint=fingerprint)
    runs = with_twins(plan(study, study.seeds, splits.fingerprint))
    out.mkdir(parents=True)
    (out / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    describe(out, runs, splits)
    skews = json.loads((out / "data.json").read_text(encoding="utf-8"))["skews"]

    def write(planned: list[PlannedRun]) -> None:
        for run in planned:
            if not leave_out(run):
                counts = skews[describe_skew(run.recipe.skew)]["train"]
                folder = out / "runs" / run.recipe.run_id
                _write_run(folder, run, counts, strength(run), diverge(run))

    write(runs)
    shortlists = {}
    for stage in study.expanded_confirmations():
        shortlist = make_shortlist(stage, runs, out)
        if shortlist is not None:
            shortlists[stage.name] = shortlist
            write(plan_second_stage(study, shortlist.arms, stage.seeds, splits.fingerprint))
    save_shortlists(out, shortlists)
    return out


def context_of(out: Path, tmp_path: Path, language: str = "en") -> Context:
    """What sections of a written study's report are written from; figures go to `tmp_path`."""
    return Context(Words(language), tmp_path / "figures", load_results(out))


def _write_run(
    folder: Path, run: PlannedRun, counts: list[int], strength: float, diverged: bool
) -> None:
    folder.mkdir(parents=True)
    recipe = run.recipe
    # The seed's own luck is shared by all arms; what an arm adds to it is smaller.
    rng = stream(recipe.seed, f"synthetic run {recipe.digest}")
    luck = stream(recipe.seed, "synthetic luck").normal(0, 0.1) + rng.normal(0, 0.04)
    history = History(*_history(recipe.epochs, strength + luck, rng, diverged))
    history.save(folder)
    if not diverged:
        labels = np.repeat(np.arange(CLASSES), TEST_PER_CLASS)
        handicap = np.log(np.array(counts) / max(counts))
        logits = rng.normal(0, 1, (len(labels), CLASSES)) + 0.5 * handicap
        logits[np.arange(len(labels)), labels] += strength + luck
        evaluation = evaluate_logits(logits, labels, class_names=NAMES, train_counts=counts)
        (folder / "evaluation.json").write_text(evaluation.to_json(), encoding="utf-8")
        weight = rng.normal(0, 1 / 4, (CLASSES, 16)) * np.exp(handicap / 8)[:, None]
        weight /= 1 + 30 * recipe.weight_decay
        save_file({"classifier.weight": weight.astype(np.float32)}, folder / "model.safetensors")
        save_file(
            {"logits": logits.astype(np.float32), "labels": labels}, folder / "logits.safetensors"
        )
    outcome = RunOutcome(
        run_id=recipe.run_id,
        outcome=DIVERGED if diverged else FINISHED,
        message="the loss is not a number" if diverged else "",
        train_seconds=float(len(history.epochs)),  # a second each
        images_per_second=1000.0,
        precision="float32",
        threads=1,
        device="cpu",
        torch_version="0.0-synthetic",
        processor="synthetic",
        started="2000-01-01T00:00:00+00:00",
        finished="2000-01-01T00:00:12+00:00",
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        trained_by=run.twin.run_id if run.twin else "",
        unbegun=tuple(unbegun(recipe, history)) if recipe.max_steps else (),
    )
    (folder / "run.json").write_text(json.dumps(asdict(outcome)), encoding="utf-8")


def _history(
    epochs: int, strength: float, rng: np.random.Generator, diverged: bool
) -> tuple[list[float], list[EpochRecord]]:
    steps = np.arange(epochs * STEPS)
    floor = max(0.05, 2.3 - 0.6 * strength)
    losses = floor + (2.3 - floor) * np.exp(-steps / STEPS) + rng.normal(0, 0.03, len(steps))
    if diverged:
        losses = losses[: STEPS // 2]
    records = [
        EpochRecord(
            epoch=epoch,
            stage="training",
            train_loss=float(losses[(epoch - 1) * STEPS : epoch * STEPS].mean()),
            train_accuracy=0.5,
            test_accuracy=float(np.clip((1 - np.exp(-epoch)) * strength / 4, 0, 1)),
            learning_rate=0.01,
            seconds=1.0,
            images_per_second=1000.0,
        )
        for epoch in range(1, (0 if diverged else epochs) + 1)
    ]
    return losses.tolist(), records
