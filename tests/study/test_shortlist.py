"""Which arms go on to a second stage: ties, arms under two names, halves and damaged files."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.report.synthetic import NAMES, write_study
from unskew.errors import UserError
from unskew.evaluation.evaluation import evaluate_logits
from unskew.study.plan import plan
from unskew.study.shortlist import LOGITS, evaluate_half, load_shortlists, make_shortlist
from unskew.study.spec import Study

TEXT = """
name = "short"
seeds = 2
recipe.epochs = 1
[[arms]]
name = "{remedy}"
grid = { remedy = ["none", "focal", "drw", "mixup"] }
[[confirmations]]
name = "best"
baseline = "none"
always = ["drw"]
among = ["focal", "drw", "mixup"]
best = 1
seeds = 2
"""


@pytest.fixture
def out(tmp_path):
    return write_study(tmp_path / "out", Study.from_toml(TEXT, "short.toml"))


def runs_of(out):
    study = Study.of_folder(out)
    return study, plan(study, study.seeds, "5eed")


def rewrite(out, arm, seed, change, counts=(100,) * 10):
    """Change the logits of an arm's run, and its evaluation with them; returns its folder."""
    (run,) = (r for r in runs_of(out)[1] if arm in r.arms and r.recipe.seed == seed)
    folder = out / "runs" / run.recipe.run_id
    tensors = load_file(folder / LOGITS)
    tensors |= change(tensors)
    save_file(tensors, folder / LOGITS)
    found = evaluate_logits(
        tensors["logits"], tensors["labels"], class_names=NAMES, train_counts=counts
    )
    (folder / "evaluation.json").write_text(found.to_json(), encoding="utf-8")
    return folder


def copy_predictions(out, source, target):
    """Let an arm predict on every image of every seed what another one does."""
    for seed in range(2):
        folder = rewrite(out, source, seed, lambda tensors: {})
        logits = load_file(folder / LOGITS)["logits"]
        rewrite(out, target, seed, lambda tensors, logits=logits: {"logits": logits.copy()})


def shortlist_of(out, **changes):
    study, runs = runs_of(out)
    (stage,) = study.expanded_confirmations()
    return make_shortlist(stage.model_copy(update=changes), runs, out)


def test_what_always_goes_on_does_not_go_on_twice_under_another_name(out):
    copy_predictions(out, "drw", "focal")
    found = shortlist_of(out)
    assert found.same_as == {"focal": "drw"}
    assert found.arms == ("none", "drw", "mixup")
    assert shortlist_of(out, among=["focal", "mixup"]).same_as == {"focal": "drw"}


def test_the_baseline_under_another_name_is_not_confirmed_against_itself(out):
    copy_predictions(out, "none", "focal")
    copy_predictions(out, "none", "mixup")
    found = shortlist_of(out, always=[])
    assert found.same_as == {"focal": "none", "mixup": "none"}
    assert found.arms == ("none", "drw")


def test_means_that_differ_in_their_last_bit_are_a_tie(out, monkeypatch):
    """Figures 0.1 and 0.2 of one arm, 0.15 of the other: the mean of the first is a bit larger."""
    figures = {"mixup": {0: 0.1, 1: 0.2}}
    by_folder = {
        out / "runs" / run.recipe.run_id: figures.get(run.arms[0], {}).get(run.recipe.seed, 0.15)
        for run in runs_of(out)[1]
    }

    class Half:
        def __init__(self, folder, half):
            self.balanced_accuracy, self.train_counts = by_folder[folder], [100] * 10

    monkeypatch.setattr("unskew.study.shortlist.evaluate_half", Half)
    assert list(shortlist_of(out).ranking) == ["focal", "drw", "mixup"]
    assert shortlist_of(out).arms == ("none", "drw", "focal")


def test_images_that_have_no_two_halves_are_no_second_stages(out):
    one_each = np.arange(10) * 50
    for run in runs_of(out)[1]:
        rewrite(
            out, run.arms[0], run.recipe.seed,
            lambda found: {name: values[one_each] for name, values in found.items()},
        )  # fmt: skip
    with pytest.raises(UserError, match="no class has two of the test images"):
        shortlist_of(out)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {"scale": np.ones(3, np.float32), "shift": np.zeros(3, np.float32)},
        lambda t: {"scale": np.ones((500, 1, 1), np.float32), "shift": np.zeros(1, np.float32)},
        lambda t: {"scale": np.full(10, np.nan, np.float32), "shift": np.zeros(10, np.float32)},
        lambda t: {"scale": np.ones(10, np.float32)},
        lambda t: {"logits": np.concatenate([t["logits"], t["logits"]], axis=1)},
    ],
)
def test_logits_and_adjustments_of_another_shape_are_named(out, change):
    folder = out / "runs" / runs_of(out)[1][0].recipe.run_id
    tensors = load_file(folder / LOGITS)
    save_file(tensors | change(tensors), folder / LOGITS)
    with pytest.raises(UserError, match=r"logits\.safetensors is damaged"):
        evaluate_half(folder, "screening")


def test_a_second_stage_may_rank_by_the_area_under_the_curve(tmp_path):
    text = TEXT.replace("best = 1", 'best = 1\nmetric = "mean_auroc"')
    out = write_study(tmp_path / "out", Study.from_toml(text, "short.toml"))
    assert load_shortlists(out)["best"].metric == "mean_auroc"
    assert json.loads((out / "shortlists.json").read_text("utf-8"))["best"]["ranking"]


def test_means_over_other_classes_are_not_ranked(out):
    for seed in range(2):
        for arm, rare in (("drw", 9), ("focal", 8)):
            counts = [10 if k == rare else 100 for k in range(10)]
            rewrite(out, arm, seed, lambda found: {}, counts)
    with pytest.raises(
        UserError, match=r"ranks by minority_accuracy, which in '\w+' is a mean over"
    ):
        shortlist_of(out, metric="minority_accuracy", baseline="drw", among=["focal"], best=1)
    assert shortlist_of(out, baseline="drw", among=["focal"], best=1).arms
