"""Remedies and networks from a user's own files, and from installed packages that offer some.

They register themselves by being defined. A study's runs are trained by other processes than the
one that was told of a file, so files are listed in the environment, which those inherit. A package
offers what it has by an entry point of the group `unskew.plugins`, and is found in every process.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from unskew.errors import UserError
from unskew.registration import FOREIGN, is_own

VARIABLE = "UNSKEW_PLUGINS"
"""Paths of files, with the system's separator between."""

GROUP = "unskew.plugins"
"""Of entry points: each names a module, and loading that defines what it offers."""

_modules: dict[Path, str] = {}
"""Names of the modules that files have been loaded as."""

_digests: dict[str, str] = {}
"""Of the very bytes that were run, by the module's name: the file may be another by now."""


def add_plugins(files: Iterable[Path | str]) -> None:
    """Have this process, and all that it starts from now on, load these files.

    They are run when a remedy, or a network that is not the package's own, is next asked for.

    Raises
    ------
    UserError: there is no such file, or its path cannot be listed.
    """
    paths = _listed()
    for file in files:
        try:
            path = Path(file).expanduser().resolve()
            there = path.is_file()
        except (OSError, RuntimeError):  # no path at all, or of "~somebody"
            there = False
        if not there:
            raise UserError(f"there is no plugin {file}: give the path of a Python file")
        if os.pathsep in str(path):
            raise UserError(f"{path} cannot be a plugin: rename it without {os.pathsep!r}")
        if path not in paths:
            paths.append(path)
    os.environ[VARIABLE] = os.pathsep.join(map(str, paths))


def use_plugins(files: Iterable[Path | str]) -> None:
    """Make what Python files define known, here and in all processes that are started from now on.

    Raises
    ------
    UserError: as `add_plugins` and `load_plugins`.
    """
    add_plugins(files)
    load_plugins()


def load_plugins() -> None:
    """Run what installed packages offer and the listed files, each once in a process.

    Raises
    ------
    UserError: one cannot be run, defines nothing, or something whose name is taken.
    """
    _load_packages()
    for path in _listed():
        if path not in _modules:
            _modules[path] = _load(path, f"unskew_plugin_{len(_modules) + 1}_{path.stem}")


def digest_of(module: str) -> str:
    """Of the file that a module was loaded from, 12 hex digits.

    Empty for the package's own modules, whose versions are told otherwise, and where there is no
    file, as in a notebook.
    """
    if is_own(module):
        return ""
    if module not in _digests:
        path = getattr(sys.modules.get(module), "__file__", None)
        try:
            _digests[module] = "" if path is None else _digest(Path(path).read_bytes())
        except OSError:  # of a module out of an archive
            _digests[module] = ""
    return _digests[module]


def _listed() -> list[Path]:
    return [Path(path) for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]


def _digest(code: bytes) -> str:
    return hashlib.blake2b(code, digest_size=6).hexdigest()


@cache
def _load_packages() -> None:
    for offer in entry_points(group=GROUP):
        try:
            offer.load()
        except Exception as error:
            package = offer.dist.name if offer.dist else offer.value
            raise UserError(
                f"the plugin of the installed package {package} cannot be loaded "
                f"({_said(error)}): update or uninstall it"
            ) from None


def _load(path: Path, name: str) -> str:
    """Run a file as a module of this name, and return the name."""
    try:
        code = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the plugin {path}: {error.strerror}") from None
    before = len(FOREIGN)
    module = sys.modules[name] = ModuleType(name)  # where dataclasses look for it
    module.__file__ = str(path)
    # What it imports from beside itself is found, as by `python file.py`, but hides nothing.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        exec(compile(code, str(path), "exec", dont_inherit=True), module.__dict__)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{_place(path, error)}: {_said(error)}; mend it, or do without this plugin"
        ) from None
    if len(FOREIGN) == before:
        raise UserError(
            f"{path} defines nothing: derive a class from unskew.Remedy or unskew.Network and give "
            "it a name"
        )
    _digests[name] = _digest(code)
    return name


def _place(path: Path, error: BaseException) -> str:
    """The file and the last line of it that had a part in the error."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}, line {line}" if line else str(path)


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
