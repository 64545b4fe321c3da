"""A study's folder: what it holds, and that nothing of another study is overwritten."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from unskew.data.skew import describe_skew
from unskew.errors import UserError
from unskew.evaluation.evaluation import Evaluation
from unskew.study.plan import PlannedRun
from unskew.study.shortlist import evaluate_half
from unskew.study.spec import STUDY, Study
from unskew.training.files import write_whole, writing
from unskew.training.history import History
from unskew.training.recipe import Recipe
from unskew.training.run import FINISHED, load_evaluation, load_outcome

FIGURES = (
    "accuracy", "balanced_accuracy", "minority_accuracy", "majority_accuracy",
    "worst_class_accuracy", "macro_f1",
)  # fmt: skip
COLUMNS = (
    "run", "arms", "data", "skew", "subset_seed", "model", "remedy", "weight_decay", "seed",
    "epochs", *FIGURES, "final_train_loss", "train_seconds", "images_per_second",
)  # fmt: skip
"""An arm's name is the study's; a run that serves several names them with "; " between."""


class Store:
    """The folder `out` of one study.

    Parameters
    ----------
    out: created if it is not there.
    study: as it is to be run, with all overrides.

    Raises
    ------
    UserError: the folder holds a different study or cannot be written.
    """

    def __init__(self, out: Path, study: Study) -> None:
        self.out = out
        if (out / STUDY).exists():
            _refuse_another(out, Study.of_folder(out), study)
        elif out.exists() and any(out.iterdir()):
            raise UserError(
                f"{out} holds files that are no study's: name an empty or new folder with --out"
            )
        with writing("the study's folder", out):
            out.mkdir(parents=True, exist_ok=True)
            write_whole(out / STUDY, study.to_toml())

    def folder(self, recipe: Recipe) -> Path:
        """Where the files of a recipe's run lie."""
        return self.out / "runs" / recipe.run_id

    def is_done(self, run: PlannedRun) -> bool:
        """Whether a run has finished or diverged."""
        return load_outcome(self.folder(run.recipe)) is not None

    def write_tables(self, runs: list[PlannedRun], data_name: str) -> None:
        """Write results.csv and, for runs that only serve a choice, validation.csv.

        A row a run that is over; one that diverged has no figures.
        """
        for name, for_choice in (("results.csv", False), ("validation.csv", True)):
            chosen = [run for run in runs if run.for_choice == for_choice]
            if chosen:
                self._write_table(name, chosen, data_name, load_evaluation)

    def write_second_stage(self, runs: list[PlannedRun], data_name: str) -> None:
        """Write second-stage.csv, whose figures are on the half kept for confirmation."""
        self._write_table(
            "second-stage.csv", runs, data_name, lambda f: evaluate_half(f, "confirmation")
        )

    def _write_table(
        self, name: str, runs: list[PlannedRun], data_name: str, judge: Callable[[Path], Evaluation]
    ) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(row for run in runs if (row := self._row(run, data_name, judge)))
        with writing("the study's folder", self.out):
            write_whole(self.out / name, text.getvalue())

    def _row(
        self, run: PlannedRun, data_name: str, judge: Callable[[Path], Evaluation]
    ) -> dict[str, object] | None:
        folder, recipe = self.folder(run.recipe), run.recipe
        outcome = load_outcome(folder)
        if outcome is None:
            return None
        row: dict[str, object] = {
            "run": outcome.run_id,
            "arms": "; ".join(run.arms),
            "data": data_name,
            "skew": describe_skew(recipe.skew),
            "subset_seed": recipe.subset_seed,
            "model": recipe.model,
            "remedy": recipe.remedy,
            "weight_decay": recipe.weight_decay,
            "seed": recipe.seed,
            "epochs": recipe.epochs,
            "train_seconds": outcome.train_seconds,
            "images_per_second": outcome.images_per_second,
        }
        if outcome.outcome == FINISHED:
            figures = judge(folder).to_dict()
            row |= {name: figures[name] for name in FIGURES}
            row["final_train_loss"] = History.load(folder).epochs[-1].train_loss
        return row


def _refuse_another(out: Path, there: Study, wanted: Study) -> None:
    """More seeds, more arms or other words for the same study are welcome; the same arm with
    another recipe, or on other data, would mix two studies.
    """
    before, now = there.expanded_arms(), wanted.expanded_arms()
    differing = [name for name in now if name in before and before[name].recipe != now[name].recipe]
    if there.name != wanted.name:
        what = f"{there.name!r}"
    elif differing:
        what = f"{there.name!r} with other settings or data (its arm {differing[0]!r} differs)"
    else:
        return
    raise UserError(f"{out} holds the study {what}: name another folder with --out")
