"""`--plugin`, as a user meets it."""

import json
import tomllib
from pathlib import Path

import pytest

from tests.plugged import CALM, THIN, forgotten  # noqa: F401
from unskew.models.registry import model_source
from unskew.remedies.registry import remedy_sources

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CALM)
    return path


def test_one_run_says_which_file_its_remedy_was(unskew, squares, path, tmp_path):
    done = unskew("train", "--data", squares, "--remedy", "calm", "--plugin", path,
                  "--remedy-option", "calm.depth=2", "--max-steps", 2, "--out", tmp_path / "out",
                  "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = Path(json.loads(done.stdout)["folder"])
    recipe = tomllib.loads((folder / "recipe.toml").read_text("utf-8"))
    assert recipe["remedy_sources"] == remedy_sources("calm")
    assert recipe["remedy_options"] == {"calm": {"depth": 2.0}}


def test_remedies_of_a_file_are_listed_and_shown(unskew, path):
    listed = json.loads(unskew("remedies", "list", "--plugin", path, "--json").stdout)
    assert listed["calm"] == "Does nothing, calmly."
    shown = unskew("remedies", "show", "calm", "--plugin", path).stdout
    assert "--remedy-option calm.depth=1.0" in shown


def test_networks_of_a_file_are_listed_shown_and_trained(unskew, squares, tmp_path):
    path = tmp_path / "thin.py"
    path.write_text(THIN)
    listed = json.loads(unskew("models", "list", "--plugin", path, "--json").stdout)
    assert listed["thin"] == "The mean colour, and a layer."
    shown = json.loads(unskew("models", "show", "thin", "--plugin", path, "--json").stdout)
    assert shown["parameters"] == 3 * 8 + 8 + 8 * 10 + 10
    done = unskew("train", "--data", squares, "--model", "thin", "--plugin", path, "--max-steps",
                  2, "--out", tmp_path / "out", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    recipe = tomllib.loads((Path(json.loads(done.stdout)["folder"]) / "recipe.toml").read_text())
    assert recipe["model_source"] == model_source("thin")


@pytest.mark.parametrize(
    "verb", [("train",), ("study", "coursework"), ("remedies", "list"), ("models", "list")]
)
@pytest.mark.parametrize(
    ("text", "told"), [(None, "there is no plugin"), ("1 / 0\n", "line 1: ZeroDivisionError")]
)
def test_a_file_that_cannot_be_used_ends_every_verb(unskew, path, tmp_path, verb, text, told):
    path.unlink() if text is None else path.write_text(text)
    done = unskew(*verb, "--plugin", path, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ([] if text is None else ["mine.py"])


def test_without_its_file_a_remedy_is_unknown_and_the_option_is_named(unskew, tmp_path):
    done = unskew("train", "--remedy", "zzz", cwd=tmp_path)
    assert done.returncode == 2
    assert "and --plugin FILE brings one of your own" in " ".join(done.stderr.split())


def test_what_follows_from_the_files_cannot_be_set(unskew, tmp_path):
    done = unskew("train", "--set", "remedy_sources=x", cwd=tmp_path)
    assert done.returncode == 2
    assert "remedy_sources is filled in when the files of remedies are loaded" in done.stderr
