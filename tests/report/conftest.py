"""Studies that have run (tiny) and that were made up (synthetic)."""

import pytest

from tests.report.synthetic import write_study
from tests.report.undrawn import undrawn_save
from tests.tiny_study import cache, data, finished, squares, tiny  # noqa: F401
from unskew.report.figures import style
from unskew.study.spec import Study

TEXT = """
name = "made-up"
seeds = 6
data = "digits"
title = "A made-up study"
names = { cnn = "CNN" }
[recipe]
epochs = 3
[[arms]]
name = "full"
label = "full"
[[arms]]
name = "wd{weight_decay}"
label = "λ = {weight_decay}"
grid = { weight_decay = [0, 1e-3, 1e-2] }
recipe.skew = { profile = "step", classes = [0, 1, 2, 3, 4], keep = 0.1 }
[[selections]]
name = "decay"
title = "Decay"
arms = ["wd*"]
baseline = "wd0"
field = "weight_decay"
[[comparisons]]
title = "Skew"
metric = "accuracy"
pairs = [["wd0", "full"]]
[[comparisons]]
title = "Decay"
baseline = "wd0"
candidates = ["wd1e-3", "wd1e-2"]
[[comparisons]]
title = "Loss"
metric = "final_train_loss"
pairs = [["wd1e-2", "wd0"]]
"""


@pytest.fixture(scope="session")
def study() -> Study:
    return Study.from_toml(TEXT, "made-up.toml")


def strength(run) -> float:
    """λ = 1e-3 does nothing, λ = 1e-2 does harm."""
    return 2.5 - 0.8 * (run.recipe.weight_decay == 1e-2)


@pytest.fixture(scope="session")
def made_up(study, tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("made-up") / "out", study, strength=strength)


@pytest.fixture(scope="module")
def undrawn():
    """For modules about what a report says; its figures are made, not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "save", undrawn_save)
        yield


@pytest.fixture
def once_undrawn(monkeypatch):
    """As `undrawn`, for one test."""
    monkeypatch.setattr(style, "save", undrawn_save)
