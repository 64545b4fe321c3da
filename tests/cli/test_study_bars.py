"""A study's progress where nobody watches a terminal."""

import io
import sys

from unskew.cli import study_bars
from unskew.cli.console import on_terminal
from unskew.cli.study_bars import StudyBars
from unskew.study.progress import StudyProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_is_told_a_line_a_minute_though_colours_are_forced(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(study_bars, "QUIET_EVERY", -1)
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with StudyBars() as bars:
        bars.show(StudyProgress(waiting=[], workers=1))
    assert log.getvalue().splitlines()[0] == "0 of 0 runs done"
    assert not on_terminal()


def test_a_terminal_is_one_colours_or_not(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert on_terminal()
