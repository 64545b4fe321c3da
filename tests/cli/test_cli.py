"""The command line as users meet it: what it prints, where, and with which exit code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.report.synthetic import write_study
from tests.tiny_study import TEXT
from unskew.study.spec import Study


def started(*arguments, cwd=None, **environment):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "unskew", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=300,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"} | environment,
    )


@pytest.mark.parametrize(
    "verb",
    [
        (),
        ("study",),
        ("train",),
        ("report",),
        ("rank",),
        ("models",),
        ("models", "list"),
        ("models", "show"),
        ("remedies",),
        ("remedies", "list"),
        ("remedies", "show"),
        ("data",),
        ("data", "list"),
        ("data", "clear"),
    ],
)
def test_every_verb_has_help_with_examples(verb):
    done = started(*verb, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert "Example" in done.stdout


def test_help_imports_nothing_heavy():
    code = "import sys; sys.argv = ['unskew', '--help']\n" \
           "from unskew.cli.main import main\n" \
           "try:\n    main()\nexcept SystemExit:\n    pass\n" \
           "print(sorted({m.split('.')[0] for m in sys.modules} & " \
           "{'torch', 'numpy', 'scipy', 'sklearn', 'matplotlib', 'pydantic', 'PIL'}))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]")


def test_train_writes_what_a_studys_run_writes_and_prints_json(unskew, squares, tmp_path):
    out = tmp_path / "out"
    arguments = ("train", "--data", squares, "--epochs", 2, "--batch-size", 40, "--skew",
                 "step:0-1:0.5", "--remedy", "oversample_augmented", "--remedy-option",
                 "oversample_augmented.noise=0.2", "--out", out, "--json")  # fmt: skip
    done = started(*arguments)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["outcome"] == "finished"
    assert told["evaluation"]["train_counts"] == [30, 30, 60, 60]
    shares = told["evaluation"]["class_accuracy"]
    for share, (low, high) in zip(
        shares, told["evaluation"]["class_accuracy_interval"], strict=True
    ):
        assert low <= share <= high
    folder = out / "runs" / told["run"]
    assert {p.name for p in folder.iterdir()} >= {
        "recipe.toml", "history.csv", "losses.csv", "model.safetensors", "evaluation.json",
    }  # fmt: skip
    again = unskew("train", "--recipe", folder / "recipe.toml", "--out", tmp_path / "b", "--json")
    assert json.loads(again.stdout)["run"] == told["run"]
    assert json.loads(again.stdout)["evaluation"] == told["evaluation"]
    table = unskew(*arguments[:-1])
    assert "class 3" in table.stdout
    assert "\x1b[" not in table.stdout


def test_balance_auto_runs_the_plain_baseline_beside_what_it_picks(unskew, squares, tmp_path):
    arguments = ("train", "--data", squares, "--epochs", 1, "--batch-size", 40, "--out", tmp_path,
                 "--balance", "auto", "--json")  # fmt: skip
    done = unskew(*arguments, "--skew", "step:0:0.1")
    assert "skewed 10 to 1" in done.stderr
    assert [run["remedy"] for run in json.loads(done.stdout)] == ["none", "balanced_softmax"]
    even = unskew(*arguments)
    assert "nearly even" in even.stderr
    assert [run["remedy"] for run in json.loads(even.stdout)] == ["none"]
    smoothed = unskew(*arguments, "--skew", "step:0:0.1", "--set", "label_smoothing=0.2")
    assert smoothed.returncode == 0
    assert "label_smoothing, 0.2 in the recipe, is 0 in both runs" in smoothed.stderr
    assert [run["remedy"] for run in json.loads(smoothed.stdout)] == ["none", "balanced_softmax"]
    both = unskew(*arguments, "--remedy", "focal")
    assert both.returncode == 2
    assert "leave out --remedy focal" in both.stderr


def test_remedies(unskew):
    assert "balanced_softmax" in json.loads(unskew("remedies", "list", "--json").stdout)
    shown = unskew("remedies", "show", "focal")
    assert "--remedy-option focal.gamma=" in shown.stdout


def test_study_then_report(unskew, squares, tmp_path):
    (tmp_path / "tiny.toml").write_text(TEXT)
    done = started("study", "tiny.toml", "--data", squares, "--seeds", 1, "--set", "momentum=0.5",
                  "--subset-per-seed", "--lang", "zh", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "report: unskew-tiny/report.html"
    assert "Warning" not in done.stderr
    assert done.stderr.count("are in no font") <= 1  # none where one is installed
    page = (tmp_path / "unskew-tiny/report.html").read_text("utf-8")
    assert "小型研究" in page
    assert "每个种子各自抽取子集" in page  # of method.pairing_each
    again = unskew("report", "unskew-tiny", "--format", "md", "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == {"report": "unskew-tiny/report.md"}


def test_models(unskew):
    names = json.loads(unskew("models", "list", "--json").stdout)
    assert {"cnn", "lstm", "resnet32"} <= names.keys()
    shown = unskew("models", "show", "cnn")
    assert "814,826" in shown.stdout
    told = json.loads(unskew("models", "show", "lstm", "--classes", 4, "--json").stdout)
    assert told["layers"][-1]["output_shape"] == [4]


def test_a_network_is_drawn_that_no_memory_holds(unskew):
    done = unskew("models", "show", "cnn", "--image-size", 2048, "--option", "hidden=1000000",
                  "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"] > 8e12


def test_data_lists_and_clears(unskew, squares, tmp_path):
    own = {"UNSKEW_CACHE": str(tmp_path / "cache")}
    unskew("train", "--data", squares, "--epochs", 1, "--batch-size", 40, "--out", tmp_path, **own)
    told = json.loads(unskew("data", "--json", **own).stdout)
    assert [c["name"] for c in told["cached"]] == ["squares"]
    assert told["cached"][0]["bytes"] > 200_000
    assert "squares" in unskew("data", **own).stdout
    assert "removed squares" in unskew("data", "clear", "squares", **own).stderr
    assert json.loads(unskew("data", "list", "--json", **own).stdout)["cached"] == []


def test_cifar10_is_cleared_by_the_name_it_is_opened_by(unskew, tmp_path):
    """With its download, whole or cut off, and nothing else."""
    own = {"UNSKEW_CACHE": str(tmp_path)}
    for folder, name in (("a", "CIFAR-10"), ("b", "photos")):
        (tmp_path / "images" / folder).mkdir(parents=True)
        meta = json.dumps({"name": name, "origin": "somewhere"})
        (tmp_path / "images" / folder / "meta.json").write_text(meta)
    (tmp_path / "downloads").mkdir()
    for name in ("cifar-10-python.tar.gz", "cifar-10-python.tar.gz.part"):
        (tmp_path / "downloads" / name).write_bytes(b"")
    done = unskew("data", "clear", "cifar10", "--json", **own)
    assert {item["name"] for item in json.loads(done.stdout)} == {
        "CIFAR-10", "cifar-10-python.tar.gz", "cifar-10-python.tar.gz.part",
    }  # fmt: skip
    left = json.loads(unskew("data", "--json", **own).stdout)["cached"]
    assert [item["name"] for item in left] == ["photos"]


def test_studies_of_two_data_sets_are_ranked(unskew, tmp_path):
    study = Study.from_toml(
        'name = "two"\n[[arms]]\nname = "{remedy}"\ngrid = { remedy = ["none", "drw"] }', "two"
    )
    for k, name in enumerate(["a set", "[red]hostile"]):
        write_study(tmp_path / f"study{k}", study, data=(name, f"{k}eed"))
    done = unskew("rank", "study0", "study1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "ranking: unskew-ranking/ranking.html"
    assert "[red]hostile" in done.stdout
    again = unskew("rank", "study0", "study1", "--json", "--out", "out", "--format", "md",
                   cwd=tmp_path)  # fmt: skip
    told = json.loads(again.stdout)
    assert told["ranking"] == "out/ranking.md"
    assert told["blocks"] == ["a set", "[red]hostile"]
    assert set(told["mean_ranks"]) == {"none", "drw"}
    assert told["method"] == "none"
    assert (tmp_path / "out" / "figures" / "ranking.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["study", "nope"], "no study 'nope'"),
        (["study", "coursework", "--data", "/nowhere"], "no data at '/nowhere'"),
        (["study", "coursework", "--epochs", "0"], "epochs = 0"),
        (["study", "coursework", "--lang", "fr"], "no language 'fr'"),
        (["study", "coursework", "--set", "weight_decay=1"], "weight_decay cannot be set"),
        (["study", "coursework", "--set", "nonsense"], "write it as name=value"),
        (["train", "--data", "/nowhere"], "no data at '/nowhere'"),
        (["train", "--model", "cnm"], "did you mean 'cnn'"),
        (["train", "--weight-decay=-1"], "weight_decay = -1"),
        (["train", "--epochs", "0"], "epochs = 0"),
        (["train", "--batch-size", "99999"], "batch_size 99999 is larger than"),
        (["train", "--skew", "stairs"], "'stairs' is no skew"),
        (["train", "--remedy", "prayer"], "unknown remedy 'prayer'"),
        (["train", "--remedy", "prayer", "--data", "/nowhere"], "unknown remedy 'prayer'"),
        (["study", "precision", "--set", "remedy=prayer", "--data", "/nowhere"], "'prayer'"),
        (["study", "remedies", "--epochs", "1", "--data", "/nowhere"], "in two stages"),
        (["train", "--device", "tpu"], "unknown device 'tpu': choose cpu, cuda"),
        (["study", "coursework", "--device", "cuda:99"], "device 'cuda:99': "),
        (["train", "--seed", str(2**32)], f"seed = {2**32}"),
        (["train", "--recipe", "/nowhere.toml"], "cannot read the recipe /nowhere.toml"),
        (["report", "/nowhere"], "/nowhere is no study's folder"),
        (["rank", "/nowhere", "/else"], "/nowhere is no study's folder"),
        (["rank", "/nowhere"], "needs two blocks"),
        (["models", "show", "vit"], "unknown model 'vit'"),
        (["data", "clear", "nothing"], "nothing called 'nothing' is cached"),
        (["models", "show", "cnn", "--option", "hidden=-1"], "hidden = -1: choose 1 or more"),
        (["study", "coursework", "--set", "data=cifar10"], "data cannot be set in a recipe"),
        (["study", "coursework", "--set", "seed=7"], "--seeds, says how many"),
        (["train", "--image-size", "64"], "image_size acts on images in class folders"),
        (["train", "--data", "~nobody-of-this-name"], "home of somebody"),
        (["train", "--data", "x" * 300], "File name too long"),
        (["report", "x" * 300], "File name too long"),
        (["train", "--schedule", "one_cycle", "--set", "warmup_epochs=1"], "rises by itself"),
        (["train", "--data", ""], "--data is empty"),
        (["train", "--set", "data="], "--data is empty"),
        (["study", "coursework", "--data", ""], "--data is empty"),
        (["train", "--epochs", "3", "--set", "epochs=5"], "by --epochs and by --set epochs"),
        (["train", "--lr", "1", "--set", "learning_rate=2"], "by --lr and by --set learning_rate"),
        (["train", "--set", "epochs=3", "--set", "epochs=5"], "as epochs=3 and as epochs=5"),
        (["study", "coursework", "--epochs", "3", "--set", "epochs=5"], "--epochs and by --set"),
        (["study", "own-data", "--set", "skew=stairs"], "'stairs' is no skew"),
        (["study", "coursework", "--seeds", "2000000"], "and a study has 100,000 at most"),
        (["study", "remedies", "--fresh-seeds", "2000000"], "and a study has 100,000 at most"),
        (["models", "show", "lstm", "--image-size", "1000000"], "less than or equal to 2048"),
        (["train", "--set", "fingerprint=abc"], "fingerprint is filled in"),
        (["train", "--out", ""], "--out is empty"),
        (["study", "coursework", "--out", ""], "--out is empty"),
        (["rank", "one", "other", "--out", ""], "--out is empty"),
        (["train", "--model", "lstm_misread"], "--model-option reading=scrambled"),
        (["study", "precision", "--set", "remedy=prayer"], "precision: arm "),
    ],
)
def test_a_mistake_is_one_sentence_exit_code_2_and_nothing_written(
    unskew, arguments, words, tmp_path
):
    told = unskew(*arguments, cwd=tmp_path)
    assert told.returncode == 2, told.stderr
    assert words in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
    assert not list(tmp_path.iterdir())


def test_brackets_in_names_are_no_markup(unskew, squares, tmp_path):
    """Of folders, classes and files; what looks like the end of a style is not the end of us."""
    folder = tmp_path / "photos[v2]"
    shutil.unpack_archive(squares, folder)
    for half in ("train", "test"):
        (folder / half / "class 0").rename(folder / half / "[bold]0")
    (folder / "train" / "[bold]0" / "x[").mkdir(parents=True)
    (folder / "train" / "class 1" / "y[").mkdir()
    (folder / "train" / "class 1" / "bad[:fire:].png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = unskew("train", "--data", folder, "--epochs", 1, "--batch-size", 40,
                  "--out", tmp_path / "run[b]")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[bold]0" in done.stdout
    assert "bad[:fire:].png" in done.stderr
    assert f"{tmp_path}/run[b]/runs/" in done.stderr
    assert "photos[v2]" in unskew("data").stdout


def test_two_processes_do_not_train_one_run(unskew, squares, tmp_path):
    arguments = ("train", "--data", squares, "--epochs", 1, "--batch-size", 40, "--out", tmp_path)
    assert unskew(*arguments).returncode == 0
    (run,) = (tmp_path / "runs").iterdir()
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with FileLock(run / ".lock"):
        done = unskew(*arguments)
    assert done.returncode == 2
    assert "another process trains this run" in done.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_json_is_asked_for_before_or_after_the_verb(unskew):
    for arguments in (["data", "--json"], ["data", "--json", "list"], ["data", "list", "--json"]):
        assert "known" in json.loads(unskew(*arguments).stdout)


@pytest.mark.parametrize(
    "verb", [("remedies", "list"), ("remedies", "list", "--json"), ("models", "list", "--json")]
)
def test_a_reader_that_leaves_is_no_error(verb):
    process = unread(*verb)
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0


def test_a_reader_that_leaves_does_not_end_a_training(squares, tmp_path):
    """Both runs are trained though nobody reads the first one's table."""
    arguments = ("train", "--data", squares, "--epochs", 1, "--batch-size", 40, "--out", tmp_path,
                 "--balance", "auto", "--skew", "step:0:0.1")  # fmt: skip
    process = unread(*arguments)
    assert b"Traceback" not in process.stderr.read()
    assert process.wait(timeout=300) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_reader_that_leaves_hides_no_failure(squares, tmp_path):
    process = unread("train", "--data", squares, "--lr", "1e20", "--epochs", 20, "--batch-size", 40,
                     "--out", tmp_path, "--json")  # fmt: skip
    process.stderr.read()
    assert process.wait(timeout=300) == 1


def unread(*arguments):
    """The command begun with a pipe for standard output that nobody reads any more."""
    process = subprocess.Popen(
        [sys.executable, "-m", "unskew", *map(str, arguments)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    return process


def test_a_folder_whose_name_is_no_text_is_written_and_named(unskew, squares, tmp_path):
    """The run took hours: its result is printed whatever the folder and the terminal are."""
    out = os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9sum\xe9")
    arguments = ("train", "--data", squares, "--epochs", 1, "--batch-size", 40, "--out", out)
    done = unskew(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told["folder"]).samefile(Path(out, "runs", told["run"]))
    table = started(*arguments, PYTHONIOENCODING="ascii")
    assert table.returncode == 0, table.stderr
    assert r"\u2013" in table.stdout  # between the ends of an interval


@pytest.mark.parametrize("verb", [("train",), ("study", "own-data")])
def test_nothing_is_written_among_the_images(unskew, verb, squares, tmp_path):
    photos = tmp_path / "photos"
    shutil.unpack_archive(squares, photos)
    before = sorted(photos.rglob("*"))
    done = unskew(*verb, "--data", ".", cwd=photos, UNSKEW_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 2, done.stderr
    assert "name a folder outside of it with --out" in done.stderr
    assert sorted(photos.rglob("*")) == before
    assert not (tmp_path / "cache").exists()


def test_forced_colours_draw_no_bars_in_a_log(squares, tmp_path):
    done = started("train", "--data", squares, "--epochs", 1, "--batch-size", 40, "--out", tmp_path,
                  FORCE_COLOR="1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\x1b[?25l" not in done.stderr  # hides the cursor while bars move
    assert "training accuracy" in done.stderr


def test_a_study_is_skewed_by_set(unskew, squares, tmp_path):
    text = TEXT.replace("recipe.skew", "# recipe.skew")
    (tmp_path / "tiny.toml").write_text(text)
    done = unskew("study", "tiny.toml", "--data", squares, "--seeds", 1, "--set",
                  "skew=step:0-1:0.5", "--out", "out", "--json", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    study = Study.of_folder(tmp_path / "out")
    assert study.recipe["skew"] == {"profile": "step", "classes": [0, 1], "keep": 0.5}
    assert all(run.name.startswith("cnn-step-0to1-keep0.5")
               for run in (tmp_path / "out" / "runs").iterdir())  # fmt: skip


def test_a_skew_of_test_images_that_are_not_touched_is_refused(unskew, squares, tmp_path):
    done = unskew("train", "--data", squares, "--validation", 0.2, "--test-skew", "step:0-1:0.5",
                  "--out", tmp_path / "out")  # fmt: skip
    assert done.returncode == 2
    assert "--test-skew does nothing" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_diverged_run_exits_with_1_and_says_why(squares, tmp_path):
    done = started("train", "--data", squares, "--lr", "1e20", "--epochs", 20, "--batch-size", 40,
                  "--out", tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert "lower the learning rate" in done.stderr


def test_a_study_tells_which_runs_diverged(unskew, squares, tmp_path):
    (tmp_path / "tiny.toml").write_text(TEXT)
    done = unskew("study", "tiny.toml", "--data", squares, "--seeds", 1, "--json", "--set",
                  "learning_rate=1e20", "--set", "max_steps=6", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failures"] == {}
    assert len(told["diverged"]) == 5  # of three arms, and of two for the choice
    assert all("learning rate" in message for message in told["diverged"].values())
    assert done.stderr.count("diverged: cnn-") == 5


def test_a_damaged_file_in_a_users_folder_is_counted_or_refused(unskew, squares, tmp_path):
    folder = tmp_path / "photos"
    shutil.unpack_archive(squares, folder)
    (folder / "train" / "class 0" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    options = ("train", "--data", folder, "--epochs", 1, "--batch-size", 40, "--out", tmp_path)
    done = unskew(*options)
    assert done.returncode == 0
    assert "1 files were skipped" in done.stderr
    strict = unskew(*options, "--strict")
    assert strict.returncode == 2
    assert "broken.png" in strict.stderr


@pytest.mark.parametrize("command", [("study", "coursework"), ("train",)])
def test_ctrl_c_is_answered_before_anything_is_trained(unskew, monkeypatch, tmp_path, command):
    def pressed(spec):
        raise KeyboardInterrupt

    monkeypatch.setattr("unskew.cli.places.check_data", pressed)
    said = unskew(*command, "--out", tmp_path / "out")
    assert said.returncode == 130
    assert said.stderr.startswith("stopped: ")
    assert not (tmp_path / "out").exists()
