"""The Python that users are shown runs, and the commands are commands."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from unskew.cli.main import app
from unskew.models.base import Network
from unskew.remedies.base import Remedy
from unskew.remedies.registry import names
from unskew.study.parts import Arm, Part
from unskew.study.plan import plan
from unskew.study.spec import Study

ROOT = Path(__file__).parents[1]
SHOWN = [ROOT / "README.md", ROOT / "docs/library.md", ROOT / "docs/remedies.md"]
CODE = [
    pytest.param(code, id=f"{path.stem}-{number}")
    for path in SHOWN
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    )
]


def test_there_is_some():
    assert len(CODE) >= 7


@pytest.mark.parametrize("code", CODE)
def test_it_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names()  # registers the package's own; one that is shown is not to stay for other tests
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))
    monkeypatch.setattr(Network, "known", dict(Network.known))
    # Of what is shown, a remedy of one's own trains a whole run; one epoch shows as much.
    code = code.replace("Recipe(", "Recipe(max_steps=3, ")
    exec(compile(code, "document", "exec"), {"__name__": "document"})


STUDIES = (ROOT / "docs/studies.md").read_text("utf-8")


def test_the_study_that_is_explained_is_one_and_leaves_no_key_out():
    blocks = re.findall(r"^```toml\n(.*?)^```$", STUDIES, re.DOTALL | re.MULTILINE)
    study = Study.from_toml("".join(blocks), "studies.md")
    assert plan(study, 1, "ab")
    missing = {
        key
        for part in (Study, *Part.__subclasses__())
        if part is not Arm  # what arms are expanded to, and in no file
        for key in part.model_fields
        if not re.search(rf"\b{key}\b", STUDIES)
    }
    assert not missing
    unused = {key for key in Study.model_fields if not getattr(study, key)}
    assert unused == {"subset_per_seed", "model_sources", "remedy_sources"}


def commands(text):
    """The `unskew ...` of a text's shell blocks, one a line, as arguments."""
    return [
        shlex.split(line, comments=True)
        for line in re.findall(r"^ *(?:\.venv/bin/)?unskew (.*)$", text, re.MULTILINE)
    ]


def verbs(command, names=()):
    """Every verb with its help, groups after what is in them."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*names, name))
    yield names, command


ROOT_COMMAND = typer.main.get_command(app)
EXAMPLES = [
    *(pytest.param(arguments, id=f"{path.stem}: {' '.join(arguments)}")
      for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
      for arguments in commands(path.read_text("utf-8"))),
    *(pytest.param(arguments, id=f"{' '.join(names)} --help: {' '.join(arguments)}")
      for names, command in verbs(ROOT_COMMAND)
      for arguments in commands(re.sub("Examples?:", "", command.help or ""))),
]  # fmt: skip


def test_every_verb_has_an_example():
    shown = {example.id.partition(" --help")[0] for example in EXAMPLES}
    assert {" ".join(names) for names, _ in verbs(ROOT_COMMAND)} <= shown


@pytest.mark.parametrize("arguments", EXAMPLES)
def test_a_command_that_is_shown_is_one(arguments):
    """Its verb, its options and their types; nothing is run."""
    command, rest = ROOT_COMMAND, arguments
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context("unskew", list(rest))
    assert command is not ROOT_COMMAND


def test_the_readmes_studies_do_not_share_a_folder():
    """A folder holds one study of one data set: the second command would be refused."""
    studies = [c for c in commands((ROOT / "README.md").read_text("utf-8")) if c[0] == "study"]
    assert len(studies) >= 4
    folders = [c[c.index("--out") + 1] if "--out" in c else f"unskew-{c[1]}" for c in studies]
    assert len(set(folders)) == len(folders)
    assert not re.search("`unskew study [a-z]", (ROOT / "README.md").read_text("utf-8"))
