"""A study's folder as numbers to compare; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from unskew.errors import UserError
from unskew.evaluation.evaluation import Evaluation
from unskew.study.facts import DATA, MODELS, SAMPLE_IMAGES, DataFacts, ModelFacts, model_name
from unskew.study.metrics import OF_A_RUN
from unskew.study.parts import Arm, Confirmation
from unskew.study.plan import plan, plan_second_stage
from unskew.study.shortlist import Shortlist, adjusted_logits, evaluate_half, load_shortlists
from unskew.study.spec import STUDY, Study
from unskew.study.store import listed
from unskew.training.files import RUN_AGAIN, read_json, reading
from unskew.training.history import History
from unskew.training.outcome import FINISHED, RunOutcome, load_evaluation, load_outcome
from unskew.training.recipe import Recipe

RUN_STUDY = "run the study again, which writes it anew and trains nothing that is done"


@dataclass(frozen=True)
class RunResult:
    """One run that is over; a diverged one has no evaluation.

    Attributes
    ----------
    folder: where its files lie; logits and weights, which are large, are read when asked for.
    """

    recipe: Recipe
    outcome: RunOutcome
    history: History
    evaluation: Evaluation | None
    folder: Path

    def logits(self) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
        """Logits after any adjustment, float32 (N, K), and labels, int64 (N,), of all images that
        the run was judged by; None where the file is not kept or the run diverged.

        Raises
        ------
        UserError: the file is damaged.
        """
        if self.evaluation is None or not (self.folder / "logits.safetensors").exists():
            return None
        return adjusted_logits(self.folder)

    def figure(self, metric: str) -> float | None:
        """A figure by its name: any number of the evaluation, "final_train_loss",
        "train_seconds" or "images_per_second"; None where undefined.
        """
        if self.evaluation is None:
            return None
        if metric == "final_train_loss":
            return self.history.epochs[-1].train_loss
        if metric in OF_A_RUN:
            return float(getattr(self.outcome, metric))
        value = getattr(self.evaluation, metric, None)
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True)
class ArmResults:
    """An arm and its runs that are over, by seed."""

    arm: Arm
    runs: dict[int, RunResult]

    def metric(self, name: str) -> dict[int, float]:
        """A figure by seed; runs that diverged or have none are left out."""
        found = {seed: run.figure(name) for seed, run in self.runs.items()}
        return {seed: value for seed, value in found.items() if value is not None}

    @property
    def evaluations(self) -> list[Evaluation]:
        """Of the runs that finished, in the order of their seeds."""
        return [run.evaluation for run in self.runs.values() if run.evaluation]

    @property
    def trained(self) -> bool:
        """Whether any of its runs trained, instead of taking over another arm's training."""
        return any(not run.outcome.trained_by for run in self.runs.values())

    @property
    def diverged(self) -> list[int]:
        """Seeds whose runs diverged."""
        return [seed for seed, run in self.runs.items() if run.evaluation is None]


@dataclass(frozen=True)
class SecondStage:
    """The arms that went on, with fresh seeds, judged by images that the choice did not see.

    Attributes
    ----------
    stage: as the study names it.
    shortlist: how the first stage ranked its arms.
    arms: by name, in the shortlist's order.
    """

    stage: Confirmation
    shortlist: Shortlist
    arms: dict[str, ArmResults]

    @property
    def missing(self) -> int:
        """Runs that are not over yet."""
        return self.stage.seeds * len(self.arms) - sum(len(a.runs) for a in self.arms.values())


@dataclass(frozen=True)
class StudyResults:
    """Everything a report is written from.

    Attributes
    ----------
    study: as it was run.
    arms: by name, in the study's order.
    validation: the same arms' runs that were judged on held-out training images.
    data, models: what they are, models by name with their options.
    samples: images by skew, uint8 (K, n, H, W, 3).
    second_stages: those whose first stage is over, in the study's order.
    planned: runs per arm that the study asks for.
    """

    study: Study
    arms: dict[str, ArmResults]
    validation: dict[str, ArmResults]
    data: DataFacts
    models: dict[str, ModelFacts]
    samples: dict[str, NDArray[np.uint8]]
    second_stages: tuple[SecondStage, ...] = ()

    @property
    def planned(self) -> int:
        """Seeds of each arm that the study asks for."""
        return self.study.seeds

    @property
    def missing(self) -> int:
        """Runs that are not over yet."""
        runs = sum(len(arm.runs) for arm in self.arms.values())
        return self.planned * len(self.arms) - runs


def load_results(out: Path) -> StudyResults:
    """Read a study's folder, finished or not.

    Raises
    ------
    UserError: the folder is no study's, or a file of it is damaged.
    """
    if not (out / STUDY).exists():
        raise UserError(
            f"{out} is no study's folder (it has no {STUDY}): "
            "name the folder that `unskew study` wrote"
        )
    for name in (DATA, MODELS, SAMPLE_IMAGES):
        if not (out / name).exists():  # killed before its first run, or deleted
            raise UserError(f"{out} has no {name}: {RUN_STUDY}")
    study = Study.of_folder(out)
    data = read_json(out / DATA, DataFacts, RUN_STUDY)
    arms = study.expanded_arms()
    models = _models(out / MODELS, arms)
    samples = _samples(out / SAMPLE_IMAGES, data)
    results: dict[str, dict[int, RunResult]] = {name: {} for name in arms}
    validation: dict[str, dict[int, RunResult]] = {name: {} for name in arms}
    for run in plan(study, study.seeds, data.fingerprint):
        found = _load_run(out / "runs" / run.recipe.run_id, run.recipe)
        if found is not None:
            for name in run.arms:
                table = validation if run.for_choice else results
                table[name][run.recipe.seed] = found
    _check_there(out, results, validation)
    return StudyResults(
        study=study,
        arms={name: _arm_results(arm, results[name]) for name, arm in arms.items()},
        validation={
            name: _arm_results(arm, validation[name]) for name, arm in arms.items()
            if validation[name]
        },
        data=data,
        models=models,
        samples=samples,
        second_stages=_second_stages(out, study, data.fingerprint),
    )  # fmt: skip


def _check_there(out: Path, *tables: dict[str, dict[int, RunResult]]) -> None:
    """Raise a UserError if a study that has been run has no run left: a report would be empty."""
    if any(runs for table in tables for runs in table.values()):
        return
    over = len(listed(out))
    if over:
        raise UserError(
            f"{out / 'runs'} holds none of the {over:,} runs that the study's tables list: put it "
            "back, or run the same `unskew study` command again"
        )


def _second_stages(out: Path, study: Study, fingerprint: str) -> tuple[SecondStage, ...]:
    shortlists, arms, found = load_shortlists(out), study.expanded_arms(), []
    for stage in study.expanded_confirmations():
        shortlist = shortlists.get(stage.name)
        if shortlist is None or not shortlist.is_of(stage, fingerprint):
            continue
        runs: dict[str, dict[int, RunResult]] = {name: {} for name in shortlist.arms}
        for run in plan_second_stage(study, shortlist.arms, stage.seeds, fingerprint):
            result = _load_run(
                out / "runs" / run.recipe.run_id,
                run.recipe,
                partial(evaluate_half, half="confirmation"),
            )
            if result is not None:
                for name in run.arms:
                    runs[name][run.recipe.seed] = result
        results = {name: _arm_results(arms[name], runs[name]) for name in shortlist.arms}
        found.append(SecondStage(stage, shortlist, results))
    return tuple(found)


def _load_run(
    folder: Path, recipe: Recipe, judge: Callable[[Path], Evaluation] = load_evaluation
) -> RunResult | None:
    outcome = load_outcome(folder)
    if outcome is None:
        return None
    if outcome.run_id != recipe.run_id:
        raise UserError(
            f"{folder} holds another run, {outcome.run_id!r}: delete this folder and run the "
            "study again"
        )
    evaluation = judge(folder) if outcome.outcome == FINISHED else None
    history = History.load(folder)
    if evaluation is not None:
        history.check_finished(folder, outcome.train_seconds)
    return RunResult(recipe, outcome, history, evaluation, folder)


def _arm_results(arm: Arm, runs: dict[int, RunResult]) -> ArmResults:
    """An arm's finished runs have as many steps each; one with fewer has lost some."""
    finished = [run for run in runs.values() if run.evaluation is not None]
    longest = max((len(run.history.losses) for run in finished), default=0)
    for run in finished:
        if len(run.history.losses) < longest:
            path = run.folder / "losses.csv"
            raise UserError(f"{path} is damaged, its end is missing: {RUN_AGAIN}")
    return ArmResults(arm, runs)


def _models(path: Path, arms: dict[str, Arm]) -> dict[str, ModelFacts]:
    models = read_json(path, dict[str, ModelFacts], RUN_STUDY)
    for arm in arms.values():
        name = model_name(arm.recipe)
        if name not in models:
            raise UserError(f"{path} lacks the network {name}: {RUN_STUDY}")
    return models


def _samples(path: Path, data: DataFacts) -> dict[str, NDArray[np.uint8]]:
    with reading(path, RUN_STUDY):
        samples = load_file(path)
        wanted = (len(data.class_names), *data.image_shape)
        for images in samples.values():
            if images.dtype != np.uint8 or (images.shape[:1] + images.shape[2:]) != wanted:
                raise ValueError(f"images must be uint8 {wanted}")
    return samples
