"""A study from start to finish, stopped, shared, killed."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from tests.tiny_study import TEXT
from unskew.errors import UserError
from unskew.study.execute import _Pool, execute_study
from unskew.study.plan import plan
from unskew.study.progress import StudyProgress
from unskew.study.results import load_results
from unskew.study.spec import Study
from unskew.study.store import COLUMNS
from unskew.study.worker import Task, _do
from unskew.training.events import EpochBegan, StepsDone


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
    assert (finished / "study.toml").read_bytes() == before
    (tmp_path / "thesis.doc").write_text("precious")
    with pytest.raises(UserError, match="holds files that are no study's"):
        execute_study(tiny, data, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.doc"]


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
    file.write_text(TEXT.replace("max_steps = 6", "").replace("epochs = 2", "epochs = 25"))
    out = folder / "out"
    arguments = [sys.executable, "-m", "unskew", "study", str(file), "--seeds", "1",
                 "--data", str(squares), "--out", str(out)]  # fmt: skip
    return arguments, out


@pytest.fixture
def command(tmp_path, squares):
    return study_command(tmp_path, squares)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, squares):
    """The folder of the same study, never stopped."""
    arguments, out = study_command(tmp_path_factory.mktemp("uninterrupted"), squares)
    subprocess.run(arguments, check=True, capture_output=True, timeout=300)
    return out


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_and_started_again_loses_nothing(command, uninterrupted, how):
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
    again = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
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
    plain = next(run for run in plan(study, 1, data.fingerprint) if run.twin is None)
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
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]


def test_a_worker_that_is_killed_is_replaced(command, uninterrupted):
    arguments, out = command
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE)
    wait_for(lambda: list(out.glob("runs/*/checkpoint.safetensors")))
    killed = workers_of(process.pid)
    assert killed
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    assert process.wait(timeout=300) == 0
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
