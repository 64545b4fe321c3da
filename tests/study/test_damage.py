"""Whatever has happened to a file of a study, it is said in one sentence that names the file."""

import json
import random
import re
import shutil

import pytest

from unskew.errors import UserError
from unskew.report.write import write_report
from unskew.study.results import load_results
from unskew.study.store import Store

READ = ("study.toml", "data.json", "models.json", "samples.safetensors", "run.json",
        "evaluation.json", "history.csv", "losses.csv")  # fmt: skip


@pytest.fixture
def out(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "out")


def garbled(data):
    """The same bytes with some replaced."""
    rng, changed = random.Random(0), bytearray(data)
    for _ in range(max(1, len(changed) // 20)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


DAMAGE = {
    "emptied": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "a list": lambda data: b"[]",
    "a number": lambda data: b"3",
    "nested": lambda data: b"[" * 100_000,
}
"""What leaves nothing of a file."""

SUBTLER = {
    "cut": lambda data: data[: len(data) // 2],
    "garbled": garbled,
    "an object": lambda data: b"{}",
    "infinite": lambda data: re.sub(rb"\d+\.", b"9e999", data),
}
"""What may leave a file that can still be read."""

UNSEEN = {("data.json", "infinite"), ("models.json", "infinite")}
"""They hold no number with a point in it: a name is changed, or nothing."""


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", READ)
def test_a_damaged_file_is_named(out, name, damage):
    path = next(out.rglob(name))
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(UserError, match=name) as told:
        load_results(out)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("damage", SUBTLER)
@pytest.mark.parametrize("name", READ)
def test_subtler_damage_is_named_where_it_is_seen(out, name, damage):
    path = min(out.rglob(name))
    path.write_bytes(SUBTLER[damage](path.read_bytes()))
    said = ""
    try:
        write_report(out)
    except UserError as error:
        said = str(error)
    assert name in said or ((name, damage) in UNSEEN and not said)
    assert "\n" not in said


@pytest.mark.parametrize("end", [1, 2])
def test_a_history_that_has_lost_an_epoch_is_named_though_no_other_run_is_longer(out, end):
    """Of every run, so that none stands out."""
    for path in out.rglob("history.csv"):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[:end]), "utf-8")
    with pytest.raises(
        UserError, match=r"history\.csv (is damaged|and run\.json beside it do not)"
    ):
        load_results(out)


@pytest.mark.parametrize("edit", [{"skews": {}}, {"class_names": [], "skews": {}}])
def test_data_without_classes_or_training_sets_are_damaged(out, edit):
    path = out / "data.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | edit), encoding="utf-8")
    with pytest.raises(UserError, match=r"data\.json is damaged"):
        load_results(out)


@pytest.mark.parametrize("name", READ)
def test_a_missing_file(out, name):
    min(out.rglob(name)).unlink()
    if name == "run.json":  # without it a run is not over yet
        assert load_results(out).missing == 1
        return
    with pytest.raises(UserError, match=name) as told:
        load_results(out)
    # A study that was killed before its first run has its own file alone, and goes on.
    whose = name in ("data.json", "models.json", "samples.safetensors")
    assert ("run the study again" in str(told.value)) == whose
    assert ("is no study's folder" in str(told.value)) == (name == "study.toml")


@pytest.mark.parametrize("damage", ["emptied", "a list", "zeros"])
def test_damaged_logits(out, damage):
    for path in out.rglob("logits.safetensors"):
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    run = load_results(out).arms["full"].runs[0]
    with pytest.raises(UserError, match=r"logits\.safetensors is damaged: delete its folder"):
        run.logits()


@pytest.mark.parametrize("damage", ["zeros", "a list"])
def test_a_study_goes_on_over_no_damaged_file(out, tiny, damage):
    path = out / "study.toml"
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(UserError, match=r"study\.toml"):
        Store(out, tiny, "ab")


def test_another_runs_folder_under_a_runs_name_is_not_taken_for_it(out):
    one, other = sorted((out / "runs").iterdir())[:2]
    shutil.rmtree(other)
    shutil.copytree(one, other)
    with pytest.raises(
        UserError, match=rf"{re.escape(str(other))} holds another run, '{one.name}'"
    ):
        load_results(out)


def test_a_table_that_cannot_be_read_is_written_anew_and_nothing_is_deleted_for_it(out):
    shutil.rmtree(out / "runs")
    (out / "results.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"results\.csv is damaged: run the study again"):
        load_results(out)


@pytest.mark.parametrize("instead", [lambda path: None, lambda path: path.write_text("x")])
def test_a_study_without_its_runs_is_not_reported_as_an_empty_one(out, instead):
    """Whose report would take the place of the one that was there."""
    shutil.rmtree(out / "runs")
    instead(out / "runs")
    with pytest.raises(
        UserError, match=r"runs holds none of the \d+ runs that the study's tables list"
    ):
        load_results(out)
