"""A study from start to finish, stopped, shared, killed."""

import csv
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from tests.tiny_study import TEXT
from unskew.errors import UserError
from unskew.study.execute import _Pool, _Worker, execute_study
from unskew.study.plan import plan
from unskew.study.progress import StudyProgress
from unskew.study.results import load_results
from unskew.study.spec import Study
from unskew.study.store import COLUMNS, Store, check_folder
from unskew.study.twins import with_twins
from unskew.study.worker import Data, Over, Task, _do, work
from unskew.training.events import EpochBegan, StepsDone
from unskew.training.outcome import load_evaluation


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_run_leaves_its_folder_and_a_row(finished):
    results, validation = rows(finished / "results.csv"), rows(finished / "validation.csv")
    assert tuple(results[0]) == COLUMNS
    assert len(results) == 6
    assert len(validation) == 4
    for row in results + validation:
        folder = finished / "runs" / row["run"]
        for name in ("recipe.toml", "history.csv", "losses.csv", "model.safetensors",
                     "logits.safetensors", "evaluation.json", "run.json"):  # fmt: skip
            assert (folder / name).exists()
        assert not list(folder.glob("checkpoint*"))
        assert 0 <= float(row["accuracy"]) <= 1
    assert {row["skew"] for row in results} == {"full", "step-0to2-keep0.2"}
    assert [row["arms"] for row in results[:3]] == ["wd0", "wd1e-3", "full"]


def test_results_read_back_are_the_rows(finished):
    results = load_results(finished)
    assert results.missing == 0
    accuracy = {row["run"]: float(row["accuracy"]) for row in rows(finished / "results.csv")}
    for arm in results.arms.values():
        assert set(arm.metric("accuracy")) == {0, 1}
        for run in arm.runs.values():
            assert accuracy[run.outcome.run_id] == run.figure("accuracy")
    assert set(results.validation) == {"wd0", "wd1e-3"}
    assert results.data.skews["step-0to2-keep0.2"].train[0] == 12


def test_running_again_trains_nothing_and_more_seeds_add_to_it(finished, tiny, tmp_path, data):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    execute_study(tiny.override(seeds=3), data, out)
    after = {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}
    assert before.items() < after.items()
    assert len(after) == 15


def test_two_runs_of_a_study_give_the_same_weights(finished, tiny, tmp_path, data):
    execute_study(tiny.override(seeds=1), data, tmp_path / "out", workers=1)
    for run in plan(tiny, 1, data.fingerprint):
        name = f"runs/{run.recipe.run_id}/model.safetensors"
        assert (finished / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_folder_of_another_study_or_of_anything_else_is_left_alone(
    finished, tiny, tmp_path, data
):
    before = (finished / "study.toml").read_bytes()
    with pytest.raises(UserError, match="holds the study 'tiny' with other settings"):
        execute_study(tiny.override(recipe={"epochs": 3}), data, finished)
    each = tiny.override(seeds=2).model_copy(update={"subset_per_seed": True})
    with pytest.raises(UserError, match=r"with other subsets \(subset_per_seed differs\)"):
        check_folder(finished, each)
    assert (finished / "study.toml").read_bytes() == before
    (tmp_path / "study.toml.123.part").write_text("of one that was killed while it wrote")
    check_folder(tmp_path, tiny)
    (tmp_path / "study.toml.123.part").unlink()
    (tmp_path / "thesis.doc").write_text("precious")
    with pytest.raises(UserError, match="cannot write the study's folder"):
        check_folder(tmp_path / "thesis.doc", tiny)
    with pytest.raises(UserError, match="holds files that are no study's"):
        execute_study(tiny, data, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.doc"]


def test_a_second_process_that_asks_for_less_takes_nothing_from_the_first(tiny, data, tmp_path):
    """The report of each is of what its own command asked for."""
    first = Store(tmp_path, tiny.override(seeds=6), data.fingerprint)
    Store(tmp_path, tiny.override(seeds=2), data.fingerprint)
    assert Study.of_folder(tmp_path).seeds == 2
    first.write_tables([], data.name)
    assert Study.of_folder(tmp_path).seeds == 6


def test_a_study_that_another_process_is_just_writing_is_no_stranger(tiny, tmp_path, monkeypatch):
    """Its file is there a moment after the folder was listed, with all else that comes first."""
    listed = Path.iterdir

    def iterdir(folder):
        (folder / "runs").mkdir()
        names = list(listed(folder))
        (folder / "study.toml").write_text(tiny.to_toml(), encoding="utf-8")
        return iter(names)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    check_folder(tmp_path, tiny)


def test_the_same_images_elsewhere_go_on_and_other_ones_are_refused(
    finished, tiny, tmp_path, squares, data
):
    out = shutil.copytree(finished, tmp_path / "out")
    before = (out / "study.toml").read_bytes()
    with pytest.raises(UserError, match="have changed since, or are opened in another way; name"):
        Store(out, tiny, "ab")
    with pytest.raises(UserError, match=r"holds the study 'tiny' of other images \(.*squares\.zip"):
        Store(out, tiny.override(data="digits"), "ab")
    assert (out / "study.toml").read_bytes() == before
    # Before the data are opened only names can be told apart.
    check_folder(out, tiny.override(data="digits"))
    (out / "study.toml").write_text(tiny.override(data="digits").to_toml(), encoding="utf-8")
    with pytest.raises(UserError, match=r"of other images \(digits\)"):
        check_folder(out, tiny.override(data="cifar10"))
    (out / "study.toml").write_bytes(before)
    moved = shutil.copy(squares, tmp_path / "squares.zip")
    assert execute_study(tiny.override(data=str(moved)), data, out) == {}
    assert len(list(out.glob("runs/*"))) == len(list(finished.glob("runs/*")))
    (out / "data.json").write_bytes(b"damaged")
    check_folder(out, tiny, data.fingerprint)


def test_a_mended_fault_of_a_file_loses_no_runs(finished, tiny, tmp_path, data):
    out = shutil.copytree(finished, tmp_path / "out")
    text = (out / "study.toml").read_text("utf-8")
    faulty = text.replace('"decay"', '"decy"', 1)
    assert faulty != text
    (out / "study.toml").write_text(faulty, encoding="utf-8")
    with pytest.raises(UserError, match=r"study\.toml: the claim"):
        load_results(out)
    Store(out, tiny, data.fingerprint)
    assert load_results(out).missing == 0


def test_a_diverged_run_is_recorded_without_figures_and_the_study_goes_on(tiny, tmp_path, data):
    study = tiny.override(seeds=1, recipe={"learning_rate": 1e20, "max_steps": 30, "epochs": 3})
    assert execute_study(study, data, tmp_path / "out") == {}
    found = rows(tmp_path / "out" / "results.csv")
    assert len(found) == 3
    assert {row["accuracy"] for row in found} == {""}
    assert load_results(tmp_path / "out").arms["full"].diverged == [0]


COSTS = {"cost_sensitive": {"costs": [1, 2]}}


def test_a_recipe_that_does_not_fit_the_data_is_refused_before_anything_runs(tiny, tmp_path, data):
    for changes, words in [
        ({"batch_size": 5000}, "batch_size 5000"),
        ({"model": "cnm"}, "unknown model"),
        ({"remedy": "nope"}, "unknown remedy"),
        ({"model_options": {"depth": 3}}, "has no option 'depth'"),
        ({"model": "lstm", "optimizer": "muon"}, "moves the filters"),
        ({"remedy": "crt", "epochs": 1}, "trains in two stages and epochs is 1"),
        ({"remedy": "glmc", "epochs": 1}, "from the second epoch on"),
        ({"remedy": "focal", "label_smoothing": 0.1}, "label_smoothing does not act"),
        ({"remedy": "cost_sensitive", "remedy_options": COSTS}, "2 costs are given for 4 classes"),
    ]:
        with pytest.raises(UserError, match=words) as refused:
            execute_study(tiny.override(recipe=changes), data, tmp_path / "out")
        assert str(refused.value).startswith("arm 'wd0': ")
        assert not (tmp_path / "out").exists()


def study_command(folder, squares):
    """`unskew study` on the tiny study, long enough to be interrupted; and where it writes."""
    file = folder / "tiny.toml"
    small = 'model = "lstm"\nmodel_options = { hidden_size = 32, hidden = 32 }'
    text = TEXT.replace('model = "cnn"', small).replace("epochs = 2", "epochs = 20")
    file.write_text(text.replace("max_steps = 6", ""))
    out = folder / "out"
    arguments = [sys.executable, "-c", UNDRAWN, "study", str(file), "--seeds", "1",
                 "--data", str(squares), "--out", str(out)]  # fmt: skip
    return arguments, out


UNDRAWN = """
from tests.report.undrawn import undrawn_save
from unskew.cli.main import main
from unskew.report.figures import style

style.save = undrawn_save
main()
"""
"""`unskew` without the drawing of figures, which takes longer than the study."""


@pytest.fixture
def command(tmp_path, squares):
    return study_command(tmp_path, squares)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, squares, data):
    """The folder of the same study, never stopped."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    study_command(folder, squares)
    assert execute_study(long_study(folder, squares), data, folder / "out") == {}
    return folder / "out"


def long_study(folder, squares):
    """What the command of `folder` runs."""
    return Study.load(folder / "tiny.toml").override(data=str(squares), seeds=1)


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_and_started_again_loses_nothing(
    command, uninterrupted, how, tmp_path, squares, data
):
    arguments, out = command
    # A shell starts what goes to the background with Ctrl-C ignored; here it is not to be.
    process = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    wait_for(lambda: list(out.glob("runs/*/checkpoint.safetensors")))
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert process.returncode == 130, errors
        assert "the same command goes on" in errors
        assert "Traceback" not in errors
    saved = next(out.glob("runs/*/checkpoint.safetensors"), None)
    assert execute_study(long_study(tmp_path, squares), data, out) == {}
    assert len(rows(out / "results.csv")) == 3
    assert saved is None or not saved.exists()
    # Whatever was interrupted has the weights of a run that never was.
    weights = sorted(out.glob("runs/*/model.safetensors"))
    assert len(weights) == 5
    for path in weights:
        assert path.read_bytes() == (uninterrupted / path.relative_to(out)).read_bytes()


def test_two_processes_share_one_study(command):
    arguments, out = command
    processes = [subprocess.Popen(arguments, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    found = rows(out / "results.csv")
    assert len(found) == len({row["run"] for row in found}) == 3


def test_what_waits_for_a_twin_of_another_process_goes_on_after_it(tiny, data, tmp_path):
    """The plain run is held by somebody else for a while; what takes over its weights waits."""
    arms = [{"name": n, "recipe": {"remedy": n}} for n in ("none", "posthoc_logit_adjustment")]
    study = Study.model_validate(
        {"name": "twins", "data": tiny.data, "seeds": 1, "recipe": tiny.recipe, "arms": arms}
    )
    plain = next(run for run in with_twins(plan(study, 1, data.fingerprint)) if run.twin is None)
    folder, out = tmp_path / "out" / "runs" / plain.recipe.run_id, tmp_path / "out"
    folder.mkdir(parents=True)
    (out / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    lock = FileLock(folder / ".lock")
    lock.acquire()
    seen: list[StudyProgress] = []
    found: list[dict[str, str]] = []
    thread = threading.Thread(
        target=lambda: found.append(execute_study(study, data, out, workers=1, listen=seen.append)),
        daemon=True,
    )
    thread.start()
    wait_for(lambda: len(seen) > 3)
    assert not (folder / "run.json").exists()
    assert seen[-1].done == 0, "a run that another process has is not done"
    lock.release()
    thread.join(timeout=120)
    assert found == [{}]
    assert len(rows(out / "results.csv")) == 2


def workers_of(pid):
    """Process ids of a study's workers, from what Linux tells of it."""
    servers = [c for c in children_of(pid) if b"forkserver" in command_of(c)]
    return [worker for server in servers for worker in children_of(server)]


def children_of(pid):
    of_threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for of_one in of_threads for child in of_one.read_text().split()]


def command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_worker_that_is_killed_is_replaced(command, tmp_path, squares, data, uninterrupted):
    _, out = command
    before, found = set(workers_of(os.getpid())), []
    study = long_study(tmp_path, squares)
    thread = threading.Thread(target=lambda: found.append(execute_study(study, data, out)))
    thread.start()
    wait_for(lambda: list(out.glob("runs/*/checkpoint.safetensors")))
    killed = set(workers_of(os.getpid())) - before
    assert killed
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    thread.join(timeout=300)
    assert found == [{}]
    assert len(rows(out / "results.csv")) == 3
    weights = sorted(out.glob("runs/*/model.safetensors"))
    assert len(weights) == 5
    for path in weights:
        assert path.read_bytes() == (uninterrupted / path.relative_to(out)).read_bytes()


def test_a_worker_that_dies_idle_takes_no_run_with_it(tiny, data, tmp_path, monkeypatch):
    """It is killed after its last run and before its next, while nobody listens to it."""
    handed = []

    def hand_out(pool, real=_Pool.hand_out):
        if handed and not pool.busy and len(handed) == 1:
            (worker,) = pool._workers
            worker.process.kill()
            worker.process.join()
            handed.append("killed")
        real(pool)
        handed.append("handed") if not handed else None

    monkeypatch.setattr(_Pool, "hand_out", hand_out)
    assert execute_study(tiny.override(seeds=1), data, tmp_path / "out", workers=1) == {}
    assert "killed" in handed


def test_one_bad_file_fails_its_own_run_alone(tiny, data, tmp_path):
    """Runs of a GPU's cohort: what is wrong with one is not said of the others."""
    told: list[object] = []

    class Ears:
        def send(self, message: object) -> None:
            told.append(message)

    runs = [run for run in plan(tiny, 2, data.fingerprint) if "full" in run.arms]
    assert len(runs) == 2
    tasks = [Task(run.recipe.model_dump(), tmp_path / run.recipe.run_id) for run in runs]
    tasks[1].folder.mkdir()
    (tasks[1].folder / "checkpoint.safetensors").write_bytes(b"not one")
    overs = {over.run: over for over in _do(tasks, data, Ears(), "cpu")}
    assert overs[runs[0].recipe.run_id].outcome == "finished"
    failed = overs[runs[1].recipe.run_id]
    assert failed.outcome == "failed"
    assert "checkpoint.safetensors is damaged" in failed.message


def answers(tiny, data, tmp_path):
    """What a worker that opens `data` answers to a study's runs."""
    ours, theirs = multiprocessing.Pipe()
    tasks = [
        Task(run.recipe.model_dump(), tmp_path / run.recipe.run_id) for run in plan(tiny, 1, "ab")
    ]
    worker = threading.Thread(target=work_here, args=(theirs, data))
    worker.start()
    ours.send(tasks)
    overs = [ours.recv() for _ in tasks]
    ours.close()
    worker.join(timeout=60)
    assert not list(tmp_path.glob("*/run.json"))
    return {(over.outcome, over.message) for over in overs}


def work_here(connection, data):
    """`work` in a thread, which may not say what becomes of Ctrl-C."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "signal", lambda *args: None)
        patch.setattr("unskew.kernels.memory.keep_freed_memory", lambda: None)
        work(connection, data, 1, "cpu", dict(os.environ))


def test_a_worker_trains_on_no_other_images(tiny, cache, tmp_path):
    """The folder has changed, or is gone, when the worker opens it."""
    (said,) = answers(tiny, Data(tiny.data, False, None, "ab"), tmp_path)
    assert said[0] == "failed"
    assert "squares.zip have changed since the study began: put them back" in said[1]
    (said,) = answers(tiny, Data(str(tmp_path / "gone"), False, None, "ab"), tmp_path)
    assert said[0] == "failed"
    assert said[1].startswith("no data at")


def test_data_that_change_while_a_study_runs_fail_its_runs_in_one_sentence(tiny, data, tmp_path):
    """Opened, and then a photo is added before the workers open them."""
    changed = replace(data, fingerprint="ab")
    failures = execute_study(tiny.override(seeds=1), changed, tmp_path / "out", workers=1)
    assert len(failures) == 5
    (message,) = set(failures.values())
    assert "have changed since the study began" in message
    assert rows(tmp_path / "out" / "results.csv") == []


@pytest.fixture
def pool(tiny, data, finished):
    """A pool without workers, and one that only has a connection, with a run at hand."""
    runs = plan(tiny, tiny.seeds, data.fingerprint)
    store, progress = Store(finished, tiny, data.fingerprint), StudyProgress(list(runs), 1)
    pool = _Pool(Data(tiny.data, False, None, data.fingerprint), 0, 1, "cpu", store, progress)
    ours, theirs = multiprocessing.Pipe()
    worker = _Worker(SimpleNamespace(join=lambda: None, exitcode=-9), ours)
    worker.runs = {run.recipe.run_id: run for run in runs}
    for run in runs:
        progress.begin(run)
    pool._workers = [worker]
    pool._start = lambda: _Worker(None, None)
    return pool, progress, theirs


def test_runs_that_are_over_together_are_taken_in_together(pool):
    pool, progress, theirs = pool
    total = progress.total
    for name in list(progress.current):
        theirs.send(Over(name, "finished"))
    assert pool.collect()
    assert (progress.done, progress.total) == (total, total)


def test_runs_of_a_worker_that_dies_are_not_done_until_they_fail(pool):
    pool, progress, theirs = pool
    total = progress.total
    (worker,) = pool._workers
    theirs.close()
    assert not pool.collect()
    assert (progress.done, progress.total, len(progress.waiting)) == (0, total, total)
    assert not pool.failures
    run = progress.waiting[0]
    progress.begin(run)
    worker.runs = {run.recipe.run_id: run}
    pool._workers = [worker]
    pool._replace(worker)
    assert pool.failures == {run.recipe.run_id: "its process ended 2 times (code -9)"}
    assert (progress.done, progress.total) == (1, total)


def test_runs_whose_process_dies_train_alone_before_they_fail(pool):
    """One of them may be at fault, and the others need not fail with it."""
    pool, progress, _ = pool
    pool._replicas = 64
    (worker,) = pool._workers
    runs = list(worker.runs.values())

    def dies():
        for run in worker.runs.values():
            if run in progress.waiting:
                progress.begin(run)
        pool._workers = [worker]
        pool._replace(worker)

    dies()
    assert len(pool._next()) > 1
    worker.runs = {run.recipe.run_id: run for run in runs}
    dies()
    assert not pool.failures
    assert len(progress.waiting) == len(runs)
    (alone,) = pool._next()
    worker.runs = {alone.recipe.run_id: alone}
    dies()
    assert pool.failures == {alone.recipe.run_id: "its process ended 3 times (code -9)"}
    assert len(progress.waiting) == len(runs) - 1
    assert len(pool._next()) == 1


def test_a_row_is_read_once(finished, tiny, data, tmp_path, monkeypatch):
    out = shutil.copytree(finished, tmp_path / "out")
    store, runs = Store(out, tiny, data.fingerprint), plan(tiny, tiny.seeds, data.fingerprint)
    read = []
    monkeypatch.setattr(
        "unskew.study.store.load_evaluation", lambda f: (read.append(f), load_evaluation(f))[1]
    )
    before = (out / "results.csv").read_bytes()
    for _ in range(3):
        store.write_tables(runs, data.name)
    assert len(read) == len(set(read)) == len(runs)
    assert (out / "results.csv").read_bytes() == before


def test_a_history_without_an_epoch_is_named(finished, tiny, data, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    runs = plan(tiny, tiny.seeds, data.fingerprint)
    path = out / "runs" / runs[0].recipe.run_id / "history.csv"
    path.write_text(path.read_text("utf-8").splitlines(keepends=True)[0], encoding="utf-8")
    with pytest.raises(UserError, match=r"history\.csv is damaged: delete its folder"):
        Store(out, tiny, data.fingerprint).write_tables(runs, data.name)


def test_what_another_process_finishes_last_has_its_row(finished, tiny, data, tmp_path):
    """All but one run is done, and the last is another process's until it is done there."""
    out = shutil.copytree(finished, tmp_path / "out")
    run = next(run for run in plan(tiny, tiny.seeds, data.fingerprint) if not run.for_choice)
    path = out / "runs" / run.recipe.run_id / "run.json"
    kept = path.read_bytes()
    path.unlink()
    lock = FileLock(path.with_name(".lock"))
    lock.acquire()
    seen: list[StudyProgress] = []
    found: list[dict[str, str]] = []
    thread = threading.Thread(
        target=lambda: found.append(execute_study(tiny, data, out, workers=1, listen=seen.append)),
        daemon=True,
    )
    thread.start()
    wait_for(lambda: seen and not seen[-1].current and not seen[-1].waiting)
    path.write_bytes(kept)
    lock.release()
    thread.join(timeout=120)
    assert found == [{}]
    assert run.recipe.run_id in {row["run"] for row in rows(out / "results.csv")}


def test_progress_estimates_from_what_runs_have_taken(tiny, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("unskew.study.progress.time.monotonic", lambda: now[0])
    runs = plan(tiny, 1, "ab")
    progress = StudyProgress(list(runs), workers=1)
    assert progress.seconds_left() is None
    progress.begin(runs[0])
    progress.note(runs[0], EpochBegan(1, 2, 10))
    now[0] = 5.0
    progress.note(runs[0], StepsDone(10, 10, 1.0, 100.0))
    assert progress.current[runs[0].recipe.run_id].share == 0.5
    assert progress.seconds_left() == pytest.approx(5 + 4 * 10)
    now[0] = 10.0
    progress.end(runs[0])
    assert (progress.done, progress.total) == (1, 5)
    assert progress.seconds_left() == pytest.approx(4 * 10)
    # What takes over another's training is not taken for another training.
    progress.waiting[:] = [replace(run, twin=runs[0].recipe) for run in progress.waiting]
    assert progress.seconds_left() == 0
