"""The whole study as one bar with time left, and a line for each run at hand."""

from __future__ import annotations

import time
from itertools import islice
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from unskew.cli.console import on_terminal, stderr
from unskew.study.progress import Current, StudyProgress

MOST_LINES = 8
"""Runs that have a bar of their own."""
QUIET_EVERY = 60
"""Seconds between lines where no terminal is there to draw bars on."""


class StudyBars:
    """Draws a `StudyProgress` on a terminal; elsewhere writes a line a minute."""

    def __init__(self) -> None:
        self._console = stderr()
        self._drawn = on_terminal()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._drawn,
        )
        self._whole: TaskID | None = None
        self._lines: dict[str, TaskID] = {}
        self._last = time.monotonic()

    def __enter__(self) -> StudyBars:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def show(self, progress: StudyProgress) -> None:
        """Draw where the study is."""
        left = progress.seconds_left()
        note = "" if left is None else f"{duration(left)} left"
        if not self._drawn:
            if time.monotonic() - self._last > QUIET_EVERY:
                self._last = time.monotonic()
                done = f"{progress.done} of {progress.total} runs done"
                line = ", ".join(filter(None, (done, note)))
                self._console.print(line, highlight=False)
            return
        if self._whole is None:
            self._whole = self._bars.add_task("study", total=progress.total, note="")
        self._bars.update(self._whole, completed=progress.done, total=progress.total, note=note)
        # On a GPU many runs train at once and are at the same step: a few of them tell enough.
        shown = dict(islice(progress.current.items(), MOST_LINES))
        for name in list(self._lines):
            if name not in shown:
                self._bars.remove_task(self._lines.pop(name))
        for name, at in shown.items():
            if name not in self._lines:
                self._lines[name] = self._bars.add_task("", total=None, note="")
            self._bars.update(
                self._lines[name],
                description=f"  {at.run.arms[0]} seed {at.run.recipe.seed} epoch {at.epoch}",
                completed=at.step,
                total=at.steps or None,
                note=_note(at),
            )


def _note(at: Current) -> str:
    if at.loss is None:
        return ""
    return f"loss {at.loss:.3f}, {at.images_per_second:,.0f} images/s"


def duration(seconds: float) -> str:
    """ "2 h 05 min", "3 min 20 s" or "12 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
