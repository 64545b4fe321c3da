"""The Python that users are shown runs."""

import re
from pathlib import Path

import pytest

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
    unused = [key for key in Study.model_fields if not getattr(study, key)]
    assert unused == ["subset_per_seed"]
