"""Building kernels: found once, kept, and done without where it cannot be."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from unskew.kernels import library


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Nothing built yet, and nothing remembered."""
    forget()
    monkeypatch.setenv("UNSKEW_CACHE", str(tmp_path))
    yield tmp_path
    forget()


def forget():
    """What another process would not know."""
    library.load.cache_clear()
    library._refusal.cache_clear()


def compiler(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


def test_without_a_compiler_the_reason_is_told(fresh, monkeypatch):
    monkeypatch.setenv("PATH", str(fresh))
    monkeypatch.delenv("CC", raising=False)
    assert library.load("float32/norm_relu_pool") == library.Library(None, "no C compiler found")


def test_a_compiler_that_fails_is_quoted(fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler(fresh / "cc", "echo 'no such option' >&2; exit 1"))
    found = library.load("float32/norm_relu_pool")
    assert found.functions is None
    assert "no such option" in found.reason


def test_of_many_lines_the_error_is_quoted(fresh, monkeypatch):
    told = r"printf 'In file included from x.c:17:\nbf16.h:9: error: no \351\n' >&2; exit 1"
    monkeypatch.setenv("CC", compiler(fresh / "cc", told))
    assert "bf16.h:9: error: no" in library.load("float32/norm_relu_pool").reason


def test_an_assembler_is_quoted_as_well(fresh, monkeypatch):
    told = r"printf 'x.s: Assembler messages:\nx.s:4: Error: no such instruction\n' >&2; exit 1"
    monkeypatch.setenv("CC", compiler(fresh / "cc", told))
    assert "no such instruction" in library.load("float32/norm_relu_pool").reason


def test_what_was_cut_short_is_built_again(fresh):
    found = shutil.which("cc") or shutil.which("gcc")
    if found is None:
        pytest.skip("no compiler")
    built = library._built("float32/norm_relu_pool", found)
    built.write_bytes(b"")
    assert library.load("float32/norm_relu_pool").functions is not None
    assert built.stat().st_size


def test_two_processes_build_a_file_once(fresh, monkeypatch):
    """Workers of a first study begin together, and a compiler keeps a core for seconds."""
    real = shutil.which("gcc")
    if real is None:
        pytest.skip("no compiler")
    body = f"""case "$*" in *norm_relu_pool.c*) echo built >> {fresh}/log; sleep 1;; esac
exec {real} "$@\""""
    monkeypatch.setenv("CC", compiler(fresh / "cc", body))
    code = "from unskew.kernels.library import load; print(load('float32/norm_relu_pool').reason)"
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == ["\n", "\n"]
    assert (fresh / "log").read_text() == "built\n"


def test_where_nothing_can_be_locked_each_builds_for_itself(fresh, monkeypatch):
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("no compiler")

    def refuse(lock, timeout):
        raise NotImplementedError

    monkeypatch.setattr(library.FileLock, "acquire", refuse)
    assert library.load("float32/norm_relu_pool").functions is not None


ALL = [path.relative_to(library.SOURCES) for path in library.SOURCES.rglob("*.c")]


@pytest.mark.parametrize("name", sorted(path.with_suffix("").as_posix() for path in ALL))
def test_every_kernel_builds_where_it_can(name):
    """Where one does not, its own tests are skipped and this one alone would tell."""
    reason = library.load(name).reason
    excused = reason == "no C compiler found"
    if name.startswith("bfloat16/"):
        excused |= "no AVX-512 BF16" in reason
    if name.startswith("amx/"):
        excused |= "no AVX-512 BF16" in reason or "no AMX" in reason or "does not let" in reason
    assert not reason or excused


@pytest.mark.parametrize("refused", ["-fopenmp", "-march=native"])
def test_a_compiler_that_lacks_an_option_builds_without(fresh, monkeypatch, refused):
    real = shutil.which("gcc")
    if real is None:
        pytest.skip("no compiler")
    monkeypatch.setattr(library.platform, "machine", lambda: "arm64")
    # -mcpu is not for x86: there it takes the place of -march in name only.
    body = f"""for option; do test "$option" = {refused} && exit 1; done
exec {real} $(echo "$@" | sed s/-mcpu=native//)"""
    monkeypatch.setenv("CC", compiler(fresh / "cc", body))
    assert library.load("float32/norm_relu_pool").functions is not None


def test_options_that_mean_less_elsewhere_are_for_their_processor_alone(fresh, monkeypatch):
    body = (
        'for option; do test "$option" = -march=native && { echo "no -march" >&2; exit 1; }; done'
    )
    monkeypatch.setenv("CC", compiler(fresh / "cc", body))
    monkeypatch.setattr(library.platform, "machine", lambda: "x86_64")
    assert "no -march" in library.load("float32/norm_relu_pool").reason


def test_one_failure_of_a_compiler_leaves_no_lesser_build(fresh, monkeypatch):
    """Memory or disk may be full for a moment; what is built then would be used for ever."""
    real = shutil.which("gcc")
    if real is None:
        pytest.skip("no compiler")
    once = f"test -e {fresh}/failed || {{ touch {fresh}/failed; exit 1; }}"
    monkeypatch.setenv(
        "CC", compiler(fresh / "cc", f'case "$*" in *norm_*) {once};; esac; exec {real} "$@"')
    )
    assert "it failed" in library.load("float32/norm_relu_pool").reason
    forget()
    assert library.load("float32/norm_relu_pool").functions is not None
    (built,) = (fresh / "kernels").glob("*.so")
    best = library._place("float32/norm_relu_pool", str(fresh / "cc"), library.MACHINE[0])
    assert built == best


def test_a_lesser_build_gives_way_to_the_best(fresh, monkeypatch):
    """Options that a compiler refused once, as while it was being installed, are tried again."""
    real = shutil.which("gcc")
    if real is None:
        pytest.skip("no compiler")
    refuse = 'for option; do test "$option" = -fopenmp && exit 1; done'
    path = compiler(fresh / "cc", f'{refuse}\nexec {real} "$@"')
    monkeypatch.setenv("CC", path)
    lesser = library._place("float32/norm_relu_pool", path, library.MACHINE[1])
    assert library.load("float32/norm_relu_pool").functions is not None
    assert lesser.exists()
    compiler(fresh / "cc", f'exec {real} "$@"')
    forget()
    assert library.load("float32/norm_relu_pool").functions is not None
    assert library._place("float32/norm_relu_pool", path, library.MACHINE[0]).exists()


def test_a_compiler_that_writes_rubbish_is_survived(fresh, monkeypatch):
    body = 'while [ "$1" != -o ]; do shift; done; echo rubbish > "$2"'
    monkeypatch.setenv("CC", compiler(fresh / "cc", body))
    found = library.load("float32/norm_relu_pool")
    assert found.functions is None
    assert "cannot be loaded" in found.reason


@pytest.mark.parametrize("usable", [True, False])
def test_kernels_may_say_that_the_system_forbids_them(fresh, monkeypatch, tmp_path, usable):
    if library.load("float32/norm_relu_pool").functions is None:
        pytest.skip("no compiler")
    (tmp_path / "one.c").write_text(f"int usable(void) {{ return {usable:d}; }}\n")
    monkeypatch.setattr(library, "SOURCES", tmp_path)
    found = library.load("one")
    assert (found.functions is not None) is usable
    assert usable or "does not let this process" in found.reason


def test_it_can_be_switched_off(fresh, monkeypatch):
    monkeypatch.setenv("UNSKEW_KERNELS", "off")
    assert library.load("float32/norm_relu_pool").reason == "UNSKEW_KERNELS is off"


def test_what_was_built_is_used_again(fresh, monkeypatch):
    if library.load("float32/norm_relu_pool").functions is None:
        pytest.skip("no compiler")
    (built,) = (fresh / "kernels").glob("*.so")
    before = built.stat().st_mtime_ns
    library.load.cache_clear()
    assert library.load("float32/norm_relu_pool").functions is not None
    assert [path.stat().st_mtime_ns for path in (fresh / "kernels").glob("*.so")] == [before]


def test_several_files_are_built_at_the_same_time(fresh, monkeypatch):
    """Each build waits until another has begun as well."""
    waits = (
        'case "$*" in *one.c*) exit 0;; esac\n'
        f"touch {fresh}/begun.$$\n"
        "for turn in $(seq 100); do\n"
        f"  if [ $(ls {fresh}/begun.* | wc -l) -ge 2 ]; then touch {fresh}/met.$$; break; fi\n"
        "  sleep 0.1\n"
        "done\n"
        "exit 1"
    )
    monkeypatch.setenv("CC", compiler(fresh / "cc", waits))
    found = library.load_all(["float32/norm_relu_pool", "batch"])
    assert [one.functions for one in found] == [None, None]
    assert len(list(fresh.glob("met.*"))) == 2
    assert library.load_all([]) == []


def test_several_processes_may_build_at_once(fresh):
    script = (
        "import sys; from unskew.kernels.library import load;"
        "sys.exit('no C compiler' not in load('float32/norm_relu_pool').reason "
        "and load('float32/norm_relu_pool').functions is None)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script], env=os.environ) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]


def test_a_changed_header_is_built_anew(fresh, monkeypatch, tmp_path):
    if library.load("float32/norm_relu_pool").functions is None:
        pytest.skip("no compiler")
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "one.c").write_text('#include "answer.h"\nint answer(void) { return ANSWER; }\n')
    monkeypatch.setattr(library, "SOURCES", sources)
    for answer in (41, 42):
        (sources / "answer.h").write_text(f"#define ANSWER {answer}\n")
        library.load.cache_clear()
        assert library.load("one").functions.answer() == answer
