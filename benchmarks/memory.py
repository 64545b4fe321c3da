"""Memory of processes as Linux accounts for it, in bytes."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def peak() -> int:
    """The most memory that this process has had at once.

    Not from getrusage, whose figure a new process takes over from the one that started it.
    """
    return _field(_PROC / "self/status", "VmHWM")


def shared_out(process: int) -> int:
    """Proportional set size: what several processes share is divided among them (0: it ended)."""
    return _field(_PROC / f"{process}/smaps_rollup", "Pss")


def alone(process: int) -> int:
    """What only this process holds (0: it ended)."""
    file = _PROC / f"{process}/smaps_rollup"
    return _field(file, "Private_Clean") + _field(file, "Private_Dirty")


def shared_out_of_files(process: int, ending: str) -> int:
    """Proportional set size of the files that are mapped and whose names end so."""
    total, counts = 0, False
    for line in _lines(_PROC / f"{process}/smaps"):
        name, *rest = line.split()
        if not name.endswith(":"):  # a mapping's head: addresses, rights, offset, ..., path
            counts = bool(rest) and rest[-1].endswith(ending)
        elif counts and name == "Pss:":
            total += int(rest[0]) << 10
    return total


def descendants(process: int) -> list[int]:
    """Processes that this one has started, and those that they have, and so on."""
    found = [
        int(child)
        for task in _PROC.glob(f"{process}/task/*/children")
        for line in _lines(task)
        for child in line.split()
    ]
    return found + [below for child in found for below in descendants(child)]


def _field(file: Path, name: str) -> int:
    for line in _lines(file):
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    return 0


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
