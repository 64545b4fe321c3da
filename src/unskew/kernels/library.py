"""Building a C file with the machine's compiler, once, and loading it."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

SOURCES = Path(__file__).parent
# No -ffast-math: a NaN must stay one, or a diverged run would go unnoticed. But nobody asks whether
# a comparison with one trapped; that it might keeps compilers from vectorising what chooses.
FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared")
MACHINE = (("-march=native", "-fopenmp"), ("-march=native",))
"""What compilers may not take, the best first: Apple's has no OpenMP. Without it a kernel uses one
thread."""
ARM = ("-mcpu=native",)
"""Of Apple's older releases, which have no -march for their own processors. On others than ARM it
would be taken for less than it says."""
SECONDS = 120
"""After which a compiler that has not ended is given up."""


@dataclass(frozen=True)
class Library:
    """A loaded C file, or why there is none.

    Attributes
    ----------
    functions: None where the file could not be built or loaded.
    reason: in words; empty where it could.
    """

    functions: ctypes.CDLL | None
    reason: str = ""


@functools.cache
def load(name: str) -> Library:
    """The kernels of `name`.c, such as "float32/lstm", built now if they never were on this kind of
    processor.

    Nothing is raised: a machine without a compiler is no error, only slower. Set the environment
    variable UNSKEW_KERNELS to "off" before the process begins to do without (its other value,
    "no-tiles", is `formats.source`'s), CC to name the compiler. A C file may have a
    function `usable`; where that returns 0 it is as if there were none.
    """
    if os.environ.get("UNSKEW_KERNELS") == "off":
        return Library(None, "UNSKEW_KERNELS is off")
    compiler = shutil.which(os.environ.get("CC") or "cc") or shutil.which("gcc")
    if compiler is None:
        return Library(None, "no C compiler found")
    try:
        opened = _opened(name, compiler)
        if hasattr(opened, "usable") and not opened.usable():
            return Library(None, "the system does not let this process use them")
        return Library(opened)
    except subprocess.TimeoutExpired:
        return Library(None, f"{compiler} took more than {SECONDS} seconds")
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["it failed"]
        told = next((line for line in lines if "error" in line.lower()), lines[0])
        return Library(None, f"{compiler}: {told}")
    except OSError as error:
        return Library(None, f"the built kernels cannot be loaded: {error}")


def load_all(names: Sequence[str]) -> list[Library]:
    """`load` several files, those that have to be built at the same time."""
    with ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:  # a compiler is a process
        return list(pool.map(load, names))


def _opened(name: str, compiler: str) -> ctypes.CDLL:
    built = _built(name, compiler)
    try:
        return ctypes.CDLL(str(built))
    except OSError:  # cut short, or of another system that shares this home: once more
        built.unlink(missing_ok=True)
        return ctypes.CDLL(str(_built(name, compiler)))


def _built(name: str, compiler: str) -> Path:
    """Path of the shared object, built now if it never was.

    One built with lesser options is taken only if the compiler has just refused the better ones
    for a file that nothing is wrong with: one failure, as of a full disk, is not for ever.
    """
    said = None
    for options in (*MACHINE, ARM) if _is_arm() else MACHINE:
        built = _place(name, compiler, options)
        if built.exists():
            return built
        refusal = _refusal(compiler, options)
        if refusal is None:
            _build(SOURCES / f"{name}.c", compiler, options, built)
            return built
        said = said or refusal
    assert said is not None
    raise said


def _place(name: str, compiler: str, options: tuple[str, ...]) -> Path:
    """Where the shared object lies, named by all that its content depends on."""
    sources = sorted(path for path in SOURCES.rglob("*") if path.suffix in (".c", ".h"))
    parts = [
        compiler,
        *FLAGS,
        *options,
        _processor(),
        *(path.read_text("utf-8") for path in sources),
    ]
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
    cache = os.environ.get("UNSKEW_CACHE") or platformdirs.user_cache_dir("unskew")
    return Path(cache) / "kernels" / f"{name.replace('/', '-')}-{digest}.so"


@functools.cache
def _refusal(compiler: str, options: tuple[str, ...]) -> subprocess.CalledProcessError | None:
    """What the compiler says of a file that holds one function; None where it builds it."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "one.c"
        source.write_text("int one(void) { return 1; }\n", encoding="utf-8")
        try:
            _compile(source, compiler, options, source.with_suffix(".so"))
        except subprocess.CalledProcessError as error:
            return error
    return None


def _build(source: Path, compiler: str, options: tuple[str, ...], built: Path) -> None:
    built.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _one_at_a_time(built):
        if built.exists():
            return  # by another worker of the study, meanwhile
        # Each into a file of its own, renamed when whole: a lock may not be had.
        with tempfile.TemporaryDirectory(dir=built.parent) as scratch:
            made = Path(scratch) / built.name
            _compile(source, compiler, options, made)
            made.replace(built)


@contextmanager
def _one_at_a_time(built: Path) -> Iterator[None]:
    """Let a process that builds the same file end first, if that takes no longer than it may."""
    lock = FileLock(built.with_suffix(".lock"))
    try:
        lock.acquire(timeout=SECONDS)
    except (Timeout, NotImplementedError):  # the latter of file systems that lock nothing
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _compile(source: Path, compiler: str, options: tuple[str, ...], made: Path) -> None:
    subprocess.run(
        [compiler, *FLAGS, *options, str(source), "-o", str(made), "-lm"],
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
    )


def _is_arm() -> bool:
    return platform.machine().lower() in ("arm64", "aarch64")


def _processor() -> str:
    """What -march=native depends on, so that a home shared by several machines does no harm."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() + platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
