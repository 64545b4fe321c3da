"""The Python that users are shown runs."""

import re
from pathlib import Path

import pytest

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
    # Of what is shown, a remedy of one's own trains a whole run; one epoch shows as much.
    code = code.replace("Recipe(", "Recipe(max_steps=3, ")
    exec(compile(code, "document", "exec"), {"__name__": "document"})
