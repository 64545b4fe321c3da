"""Progress bars with time left, on standard error and on a terminal only."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from unskew.cli.console import on_terminal, remark, stderr
from unskew.errors import UserError
from unskew.training.events import EpochBegan, EpochEnded, Event, StepsDone

if TYPE_CHECKING:
    from unskew.data.imageset import Splits
    from unskew.evaluation.evaluation import Evaluation
    from unskew.training.outcome import RunOutcome
    from unskew.training.recipe import Recipe


def progress_bars() -> Progress:
    """Bars that vanish when done and stay silent where no terminal is."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=stderr(),
        transient=True,
        disable=not on_terminal(),
    )


def open_with_progress(data: str, *, strict: bool = False, image_size: int | None = None) -> Splits:
    """Open a data set, showing what takes time; its notes go to standard error."""
    from unskew.data.sources import open_data

    with progress_bars() as bars:
        tasks: dict[str, int] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None, note="")
            bars.update(tasks[what], completed=done, total=total or None)  # type: ignore[arg-type]

        splits = open_data(data, strict=strict, image_size=image_size, progress=show)
    for note in splits.notes:
        remark(f"{splits.name}: {note}", "dim")
    return splits


def run_with_progress(
    recipe: Recipe, splits: Splits, folder: Path, device: str
) -> tuple[RunOutcome, Evaluation | None]:
    """Execute one recipe under a bar an epoch; the evaluation is None where it diverged.

    Raises
    ------
    UserError: another process is at this run, or as `execute`.
    """
    from filelock import Timeout

    from unskew.training.outcome import FINISHED, load_evaluation
    from unskew.training.run import execute, held

    with progress_bars() as bars:
        task = bars.add_task(recipe.model, total=None, note="")

        def show(event: Event) -> None:
            match event:
                case EpochBegan(epoch, epochs, steps):
                    name = f"{recipe.model} epoch {epoch}/{epochs}"
                    bars.reset(task, description=name, total=steps)
                case StepsDone(step, _, loss, rate):
                    bars.update(task, completed=step, note=f"loss {loss:.3f}, {rate:,.0f} images/s")
                case EpochEnded(record):
                    bars.console.print(
                        f"epoch {record.epoch}: loss {record.train_loss:.4f}, training accuracy "
                        f"{record.train_accuracy:.3f}, accuracy {record.test_accuracy:.3f}, "
                        f"{record.images_per_second:,.0f} images/s"
                    )

        try:
            with held(folder):
                outcome = execute(recipe, splits, folder, listen=show, device=device)
        except Timeout:
            raise UserError(
                f"another process trains this run in {folder}: wait for it, or name another --out"
            ) from None
    return outcome, load_evaluation(folder) if outcome.outcome == FINISHED else None


def report_with_progress(folder: Path, form: str, language: str) -> Path:
    """Write a study's report under a bar of its sections; returns its path."""
    from unskew.report.write import write_report

    with progress_bars() as bars, one_remark_on_fonts():
        task = bars.add_task("report", total=None, note="")

        def show(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        return write_report(folder, form, language, show)


MISSING = "Glyph .* missing from font"
"""How Matplotlib's warning of a letter begins."""


@contextmanager
def one_remark_on_fonts() -> Iterator[None]:
    """Matplotlib warns of every letter that no font has; whoever reads wants to know once."""
    with warnings.catch_warnings(record=True) as told:
        warnings.filterwarnings("always", message=MISSING)
        yield
    missing = [one for one in told if re.match(MISSING, str(one.message))]
    for other in told:
        if other not in missing:
            warnings.showwarning(other.message, other.category, other.filename, other.lineno)
    if missing:
        remark(
            "some letters are in no font that is installed: figures as PNG, the page's sample "
            "images among them, show boxes there. For Chinese, install Noto Sans CJK.",
            "dim",
        )
