"""A study's folder: what it holds, and that nothing of another study is overwritten."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from unskew.data.skew import describe_skew
from unskew.data.sources import KNOWN
from unskew.errors import UserError
from unskew.evaluation.evaluation import Evaluation
from unskew.study.facts import DATA, DataFacts
from unskew.study.plan import PlannedRun
from unskew.study.shortlist import SHORTLISTS, evaluate_half
from unskew.study.spec import STUDY, Study
from unskew.training.files import PART, RUN_AGAIN, read_json, reading, write_whole, writing
from unskew.training.history import History
from unskew.training.outcome import DIVERGED, FINISHED, load_evaluation, load_outcome
from unskew.training.recipe import Recipe

FOLDER = "the study's folder"
FIGURES = (
    "accuracy", "balanced_accuracy", "minority_accuracy", "majority_accuracy",
    "worst_class_accuracy", "macro_f1",
)  # fmt: skip
COLUMNS = (
    "run", "arms", "data", "skew", "subset_seed", "model", "remedy", "weight_decay", "seed",
    "epochs", *FIGURES, "final_train_loss", "train_seconds", "images_per_second",
)  # fmt: skip
"""An arm's name is the study's; a run that serves several names them with "; " between."""


TABLES = ("results.csv", "validation.csv", "second-stage.csv")
"""Of the runs that are over: those that are told, those that only serve a choice, and those of
second stages.
"""


class Store:
    """The folder `out` of one study.

    Parameters
    ----------
    out: created if it is not there.
    study: as it is to be run, with all overrides.
    fingerprint: of the opened data.

    Raises
    ------
    UserError: as `check_folder`, or the folder cannot be written.
    """

    def __init__(self, out: Path, study: Study, fingerprint: str) -> None:
        self.out = out
        self._rows: dict[tuple[str, str], dict[str, object]] = {}
        check_folder(out, study, fingerprint)
        with writing(FOLDER, out):
            out.mkdir(parents=True, exist_ok=True)
        self._text = study.to_toml()
        self._keep_study()

    def _keep_study(self) -> None:
        """Write study.toml, from which the report reads what was asked for.

        Another process that shares the folder may have asked for fewer seeds, and written that.
        """
        path = self.out / STUDY
        with writing(FOLDER, self.out):
            if not path.exists() or path.read_text("utf-8", errors="replace") != self._text:
                write_whole(path, self._text)

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
        self._keep_study()
        for name, for_choice in zip(TABLES, (False, True), strict=False):
            chosen = [run for run in runs if run.for_choice == for_choice]
            if chosen:
                self._write_table(name, chosen, data_name, load_evaluation)
            else:
                self._drop(name)

    def drop_second_stage(self) -> None:
        """Remove the table and the choices of a second stage that the study has no longer."""
        self._drop(TABLES[2], SHORTLISTS)

    def _drop(self, *names: str) -> None:
        with writing(FOLDER, self.out):
            for name in names:
                (self.out / name).unlink(missing_ok=True)

    def write_second_stage(self, runs: list[PlannedRun], data_name: str) -> None:
        """Write second-stage.csv, whose figures are on the half kept for confirmation."""
        self._write_table(TABLES[2], runs, data_name, lambda f: evaluate_half(f, "confirmation"))

    def _write_table(
        self, name: str, runs: list[PlannedRun], data_name: str, judge: Callable[[Path], Evaluation]
    ) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        for run in runs:
            # A table is written anew whenever a run is over, and what is over does not change.
            key = (name, run.recipe.run_id)
            row = self._rows.get(key) or self._row(run, data_name, judge)
            if row is not None:
                self._rows[key] = row
                writer.writerow(row)
        with writing(FOLDER, self.out):
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
            history = History.load(folder)
            history.check_finished(folder, outcome.train_seconds)
            row["final_train_loss"] = history.epochs[-1].train_loss
        return row


def listed(out: Path) -> list[str]:
    """Ids of all runs that a study's tables say are over.

    Raises
    ------
    UserError: a table cannot be read.
    """
    found: list[str] = []
    for path in (out / name for name in TABLES):
        if path.exists():
            with reading(path, "run the study again, which writes it anew"):
                rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
                found += [row["run"] for row in rows]
    return found


def diverged(out: Path) -> dict[str, str]:
    """Why, by run id, for each run in a study's tables that has diverged.

    Raises
    ------
    UserError: a table or a run's outcome is damaged.
    """
    outcomes = (load_outcome(out / "runs" / run) for run in listed(out))
    return {o.run_id: o.message for o in outcomes if o is not None and o.outcome == DIVERGED}


def check_folder(out: Path, study: Study, fingerprint: str = "") -> None:
    """Whether a study may be written into a folder.

    Parameters
    ----------
    study: as it is to be run, with all overrides.
    fingerprint: of the opened data; empty before they are, to say early what can be said then.

    Raises
    ------
    UserError: the folder cannot be read, holds what is no study's, or the results of another
        study, of other settings or of other images.
    """
    with writing(FOLDER, out):
        # Listed first and then looked for: another process may be writing its study just now, and
        # one that was killed meanwhile leaves a file that was never whole.
        names = [path.name for path in out.iterdir()] if out.exists() else []
        strange = any(not name.endswith(PART) for name in names)
    if (out / STUDY).exists():
        # A fault that is mended now, in what is compared, is no reason to lose its runs.
        there = Study.of_folder(out, check=False)
        _refuse_another(out, there, study)
        _refuse_other_images(out, there, study, fingerprint)
    elif strange:
        raise UserError(
            f"{out} holds files that are no study's: name an empty or new folder with --out"
        )


def _refuse_another(out: Path, there: Study, wanted: Study) -> None:
    """More seeds, more arms or other words for the same study are welcome, and so are the same
    images at another place; the same arm with another recipe would mix two studies.
    """
    before, now = _recipes(there), _recipes(wanted)
    differing = [name for name in now if name in before and before[name] != now[name]]
    if there.name != wanted.name:
        what = f"{there.name!r}"
    elif there.subset_per_seed != wanted.subset_per_seed and max(there.seeds, wanted.seeds) > 1:
        what = f"{there.name!r} with other subsets (subset_per_seed differs)"
    elif differing:
        what = f"{there.name!r} with other settings (its arm {differing[0]!r} differs)"
    else:
        return
    raise UserError(f"{out} holds the study {what}: name another folder with --out")


def _recipes(study: Study) -> dict[str, Recipe]:
    """The arms' recipes by name, wherever their data lie and whatever a plugin said then.

    Where a plugin's file has changed, its arms are run again, and the rest of the study stays.
    """
    arms, unsaid = study.expanded_arms(), {"data": "", "model_source": "", "remedy_sources": {}}
    return {name: arm.recipe.model_copy(update=unsaid) for name, arm in arms.items()}


def _refuse_other_images(out: Path, there: Study, wanted: Study, fingerprint: str) -> None:
    """Runs of other images would stay in the folder, and nothing would tell of them any more."""
    before = _fingerprint(out)
    if not before or fingerprint == before:
        return
    if there.data != wanted.data:
        # Two that have names are not the same; of a path nothing is known before it is opened.
        if fingerprint or {there.data, wanted.data} <= KNOWN.keys():
            raise UserError(
                f"{out} holds the study {there.name!r} of other images ({there.data}): name "
                "another folder with --out"
            )
    elif fingerprint:
        raise UserError(
            f"{out} holds results of other images: those of {wanted.data} have changed since, or "
            "are opened in another way; name another folder with --out"
        )


def _fingerprint(out: Path) -> str:
    """Of the images that a folder's study was run on; empty where nothing tells."""
    if not (out / DATA).exists():
        return ""  # killed before it wrote what comes before any run
    try:
        return read_json(out / DATA, DataFacts, RUN_AGAIN).fingerprint
    except UserError:
        return ""  # damaged: running the study writes it anew
