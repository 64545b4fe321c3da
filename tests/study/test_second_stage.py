"""A first stage that chooses, and a second one with fresh seeds on other images."""

import csv
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unskew.errors import UserError
from unskew.study.execute import execute_study
from unskew.study.parts import FIRST_FRESH_SEED
from unskew.study.plan import plan, plan_second_stage
from unskew.study.results import load_results
from unskew.study.shortlist import evaluate_half, load_shortlists, make_shortlist
from unskew.study.spec import Study
from unskew.study.twins import with_twins
from unskew.training.outcome import load_evaluation

TEXT = """
name = "stages"
seeds = 2
[recipe]
model = "lstm"
model_options = { hidden_size = 32, hidden = 32 }
max_steps = 5
epochs = 1
batch_size = 20
skew = { profile = "step", classes = [0, 1], keep = 0.2 }
[[arms]]
name = "{remedy}"
grid = { remedy = [
    "none", "posthoc_em", "focal", "logit_adjustment", "balanced_softmax", "tau_normalised",
] }
[[arms]]
name = "decay"
recipe.weight_decay = 0.01
[[confirmations]]
name = "best"
baseline = "none"
always = ["decay"]
among = ["*"]
best = 2
seeds = 3
"""


def load_data(out):
    """What a study's folder says its data are."""
    return Study.of_folder(out).data


@pytest.fixture(scope="module")
def study(squares):
    return Study.from_toml(TEXT, "stages.toml").override(data=str(squares))


@pytest.fixture(scope="module")
def out(study, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages") / "out"
    assert execute_study(study, data, folder) == {}
    return folder


def test_the_best_go_on_with_fresh_seeds_beside_what_always_does(out):
    shortlist = load_shortlists(out)["best"]
    assert shortlist.arms[:2] == ("none", "decay")
    assert len(shortlist.arms) == 4
    assert shortlist.seeds == (0, 1)
    means = list(shortlist.ranking.values())
    assert means == sorted(means, reverse=True)
    others = [n for n in shortlist.ranking if n not in (*shortlist.same_as, "none", "decay")]
    assert list(shortlist.arms[2:]) == others[:2]
    with (out / "second-stage.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 3
    assert {int(row["seed"]) for row in rows} == {FIRST_FRESH_SEED + k for k in range(3)}


def test_one_loss_under_two_names_counts_once(out):
    assert load_shortlists(out)["best"].same_as["balanced_softmax"] == "logit_adjustment"


def test_the_halves_share_no_image_and_make_the_whole(out, study, data):
    run = plan(study, 1, data.fingerprint)[0]
    folder = out / "runs" / run.recipe.run_id
    halves = [evaluate_half(folder, half) for half in ("screening", "confirmation")]
    whole = load_evaluation(folder)
    assert np.array_equal(sum(np.array(half.confusion) for half in halves), whole.confusion)
    assert halves[0].support == halves[1].support == (10, 10, 10, 10)


def test_an_adjustment_acts_on_the_halves_too(out, study, data):
    for run in plan(study, 1, data.fingerprint):
        if "posthoc_em" in run.arms:
            folder = out / "runs" / run.recipe.run_id
            halves = [evaluate_half(folder, half) for half in ("screening", "confirmation")]
            both = sum(np.array(half.confusion) for half in halves)
            assert np.array_equal(both, load_evaluation(folder).confusion)
            assert "scale" in load_file(folder / "logits.safetensors")


def test_results_have_the_second_stage_on_its_own_images(out):
    (second,) = load_results(out).second_stages
    assert second.missing == 0
    assert list(second.arms) == list(second.shortlist.arms)
    for arm in second.arms.values():
        assert set(arm.runs) == {FIRST_FRESH_SEED + k for k in range(3)}
        for figures in arm.evaluations:
            assert sum(figures.support) == 40
            assert figures.split.startswith("confirmation half")


def test_twins_are_trained_once(out):
    results = load_results(out)
    assert {r.outcome.trained_by != "" for r in results.arms["tau_normalised"].runs.values()} == {
        True
    }
    assert {r.outcome.trained_by for r in results.arms["none"].runs.values()} == {""}


def test_running_again_trains_nothing(out, study, data):
    before = {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}
    execute_study(study, data, out)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}


def test_without_fresh_seeds_there_is_no_second_stage(study):
    assert study.override(fresh_seeds=0).confirmations == []
    assert study.override(fresh_seeds=5).confirmations[0].seeds == 5


def test_no_choice_before_the_first_stage_is_over(out, study, data, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    runs = plan(study, study.seeds, data.fingerprint)
    (stage,) = study.expanded_confirmations()
    (copy / "runs" / runs[-1].recipe.run_id / "run.json").unlink()
    assert make_shortlist(stage, runs, copy) is None


def test_an_arm_that_diverged_is_left_out_and_a_baseline_must_not(out, study, data, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    runs = plan(study, study.seeds, data.fingerprint)
    (stage,) = study.expanded_confirmations()

    def diverge(arm):
        for run in runs:
            if arm in run.arms:
                path = copy / "runs" / run.recipe.run_id / "run.json"
                path.write_text(path.read_text().replace('"finished"', '"diverged"', 1))

    diverge("focal")
    shortlist = make_shortlist(stage, runs, copy)
    assert shortlist.left_out == ("focal",)
    assert "focal" not in shortlist.ranking
    diverge("none")
    with pytest.raises(UserError, match="baseline 'none' has diverged"):
        make_shortlist(stage, runs, copy)


def test_damaged_files_are_named(out, study, data, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    folder = copy / "runs" / plan(study, 1, data.fingerprint)[0].recipe.run_id
    tensors = load_file(folder / "logits.safetensors")
    save_file({"labels": tensors["labels"]}, folder / "logits.safetensors")
    with pytest.raises(UserError, match=r"logits\.safetensors is damaged"):
        evaluate_half(folder, "screening")
    (folder / "logits.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match=r"logits\.safetensors is damaged"):
        evaluate_half(folder, "screening")
    (copy / "shortlists.json").write_text('{"best": 1}')
    with pytest.raises(UserError, match=r"shortlists\.json is damaged"):
        load_results(copy)


@pytest.mark.parametrize("name", ["losses.csv", "history.csv"])
def test_a_run_of_the_second_stage_that_has_lost_its_end_is_named(out, tmp_path, name):
    """One seed's record is cut by whole lines, so that each that is left can be read."""
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    arm = load_results(copy).second_stages[0].arms["decay"]
    path = arm.runs[FIRST_FRESH_SEED].folder / name
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[:-1]), "utf-8")
    with pytest.raises(UserError, match=rf"{name} (is damaged|and run.json)"):
        load_results(copy)


@pytest.mark.parametrize("field", ["arms", "same_as"])
def test_a_shortlist_of_arms_that_are_none_is_not_taken(out, tmp_path, field):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    kept = json.loads((copy / "shortlists.json").read_text("utf-8"))
    (shortlist,) = kept.values()
    if field == "arms":
        shortlist["arms"][-1] = "nobody"
    else:
        shortlist["same_as"] = {"focal": "nobody"}
    (copy / "shortlists.json").write_text(json.dumps(kept), encoding="utf-8")
    assert load_results(copy).second_stages == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [("best = 2", "best = 1"), ('always = ["decay"]', 'always = ["focal"]'),
     ('baseline = "none"', 'baseline = "focal"'), ('among = ["*"]', 'among = ["none", "focal"]')],
)  # fmt: skip
def test_a_shortlist_of_another_second_stage_is_not_taken_for_this_one(out, tmp_path, old, new):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    assert len(load_results(copy).second_stages) == 1
    text = TEXT.replace('name = "stages"', f'name = "stages"\ndata = "{load_data(copy)}"')
    (copy / "study.toml").write_text(text.replace(old, new), encoding="utf-8")
    assert load_results(copy).second_stages == ()


def test_a_twin_goes_first_in_every_plan(study):
    for planned in (
        plan(study, 2, "ab"),
        plan_second_stage(study, ["none", "posthoc_em"], 2, "ab"),
    ):
        runs = with_twins(planned)
        digests = [run.recipe.digest for run in runs]
        twins = [run for run in runs if run.twin]
        assert twins
        assert all(digests.index(run.twin.digest) < digests.index(run.recipe.digest)
                   for run in twins)  # fmt: skip
    alone = with_twins(plan_second_stage(study, ["posthoc_em"], 1, "ab"))
    assert alone[0].twin is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('among = ["*"]', 'among = ["focal"]', "takes the best 2 of 1 arms"),
        (
            'among = ["*"]',
            'among = ["focal", "none", "decy"]',
            "'best' names 'decy', which matches",
        ),
        ('always = ["decay"]', 'always = ["dcay"]', "second stage 'best' names 'dcay'"),
        (
            "seeds = 2\n[recipe]",
            "seeds = 2\nsubset_per_seed = true\n[recipe]\ntest_skew = "
            '{ profile = "step", classes = [0], keep = 0.5 }',
            "drop subset_per_seed, test_skew",
        ),
        ('baseline = "none"', 'baseline = "nun"', "second stage 'best' names 'nun'"),
        ("seeds = 2\n[recipe]", "seeds = 1_001\n[recipe]", "ask for 1,000 at most"),
    ],
)
def test_faults_in_a_second_stage_are_named(old, new, words):
    assert old in TEXT
    with pytest.raises(UserError, match=words):
        Study.from_toml(TEXT.replace(old, new), "stages.toml")


def test_a_thousand_seeds_leave_a_second_stage_its_own():
    study = Study.from_toml(TEXT, "stages.toml")
    assert study.override(seeds=1_000).seeds == 1_000
    with pytest.raises(UserError, match="would not be fresh"):
        study.override(seeds=1_001)
    assert study.override(seeds=1_001, fresh_seeds=0).seeds == 1_001


def test_two_second_stages_do_not_share_a_name():
    again = TEXT[TEXT.index("[[confirmations]]") :]
    with pytest.raises(UserError, match="two second stages are called 'best': give each a name"):
        Study.from_toml(TEXT + again, "stages.toml")


def test_two_second_stages_share_the_runs_of_an_arm(study, data, tmp_path):
    """Both compare with the baseline, whose fresh runs are run once and stand in the table once."""
    first, *_ = study.confirmations
    second = first.model_copy(
        update={"name": "worst", "metric": "worst_class_accuracy", "seeds": 2}
    )
    both = study.model_copy(update={"confirmations": [first, second], "seeds": 1}).check()
    out = tmp_path / "out"
    assert execute_study(both, data, out, workers=1, replicas=8) == {}
    with (out / "second-stage.csv").open(newline="") as file:
        rows = [row["run"] for row in csv.DictReader(file)]
    assert len(rows) == len(set(rows))
    stages = load_results(out).second_stages
    assert [stage.missing for stage in stages] == [0, 0]
    assert [stage.stage.metric for stage in stages] == ["balanced_accuracy", "worst_class_accuracy"]


def test_what_is_wrong_with_one_second_stage_is_no_fault_of_another(out, study, data, tmp_path):
    """The first one's baseline has diverged, and the second one asks nothing of it."""
    copy = shutil.copytree(out, tmp_path / "out")
    for run in plan(study, study.seeds, data.fingerprint):
        if "decay" in run.arms:
            path = copy / "runs" / run.recipe.run_id / "run.json"
            path.write_text(path.read_text().replace('"finished"', '"diverged"', 1))
    first, *_ = study.confirmations
    changes = {"always": [], "among": ["focal"], "best": 1, "seeds": 1}
    stages = [
        first.model_copy(update={**changes, "baseline": "decay"}),
        first.model_copy(update={**changes, "name": "other"}),
    ]
    both = study.model_copy(update={"confirmations": stages}).check()
    failures = execute_study(both, data, copy, workers=1)
    assert list(failures) == ["best"]
    assert "second stage 'best': its baseline 'decay' has diverged" in failures["best"]
    (stage,) = load_results(copy).second_stages
    assert (stage.stage.name, stage.missing) == ("other", 0)


def test_a_ranking_by_another_metric_or_of_other_images_is_not_this_ones(out, tmp_path):
    copy = shutil.copytree(out, tmp_path / "out")
    assert load_results(copy).second_stages
    path = copy / "study.toml"
    text = path.read_text("utf-8")
    assert 'metric = "balanced_accuracy"' in text
    path.write_text(text.replace('metric = "balanced_accuracy"', 'metric = "macro_f1"'), "utf-8")
    assert not load_results(copy).second_stages
