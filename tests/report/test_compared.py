"""Verdicts follow the corrected p and the metric's direction, and say when nothing can be said."""

from dataclasses import replace

import pytest

from tests.report.synthetic import write_study
from unskew.evaluation.significance import holm, paired_difference, t_test_p
from unskew.report.catalogue import Words
from unskew.report.compared import Compared, compare, corrected
from unskew.report.context import Context
from unskew.report.sections.conclusions import sentence
from unskew.study.results import load_results
from unskew.study.spec import Study


@pytest.fixture
def results(made_up):
    return load_results(made_up)


def pairs_of(results, title):
    found = next(c for c in results.study.expanded_comparisons() if c.title["en"] == title)
    return compare(results, found)


def test_verdicts(results):
    assert [pair.verdict for pair in pairs_of(results, "Skew")] == ["worse"]
    assert [pair.verdict for pair in pairs_of(results, "Decay")] == ["none", "worse"]


def test_a_higher_loss_is_worse(results):
    (pair,) = pairs_of(results, "Loss")
    assert pair.paired.difference.mean > 0
    assert pair.verdict == "worse"


def test_an_interval_clear_of_zero_that_the_correction_takes_back_is_a_hint():
    ours = {0: 0.52, 1: 0.53, 2: 0.515}
    paired = paired_difference(ours, dict.fromkeys(ours, 0.5))
    assert paired.difference.low > 0
    pair = Compared("a", "b", "accuracy", paired, adjusted=0.2, family=6)
    assert pair.verdict == "hint"
    assert replace(pair, adjusted=0.04).verdict == "better"


def test_p_values_are_corrected_over_the_family(results):
    found = pairs_of(results, "Decay")
    figures = {n: results.arms[n].metric("balanced_accuracy") for n in results.arms}
    raw = [
        t_test_p(paired_difference(figures[p.candidate], figures["wd0"]).difference) for p in found
    ]
    assert [pair.adjusted for pair in found] == holm(raw)
    assert [pair.family for pair in found] == [2, 2]


def test_means_are_over_the_shared_seeds_alone(study, tmp_path):
    def one_arm_lags(run):
        return "full" in run.arms and run.recipe.seed == 5

    results = load_results(write_study(tmp_path / "out", study, leave_out=one_arm_lags))
    (pair,) = pairs_of(results, "Skew")
    shared = [value for seed, value in results.arms["wd0"].metric("accuracy").items() if seed != 5]
    assert len(pair.by_seed) == 5
    assert pair.means[0] == pytest.approx(sum(shared) / 5)
    assert pair.means[0] - pair.means[1] == pytest.approx(pair.paired.difference.mean)


def test_one_seed_and_none(study, tmp_path):
    def hardly_begun(run):
        return run.recipe.seed > 0 or run.recipe.weight_decay == 1e-2

    results = load_results(write_study(tmp_path / "out", study, leave_out=hardly_begun))
    assert [pair.verdict for pair in pairs_of(results, "Decay")] == ["single", "missing"]


def test_a_difference_that_is_always_the_same_is_no_member_of_the_family():
    """No test can be made of it, so it neither counts as shown nor weighs on the others."""
    base = dict.fromkeys(range(4), 0.5)
    luck = paired_difference(dict.fromkeys(range(4), 0.52), base)
    tested = paired_difference({0: 0.52, 1: 0.53, 2: 0.515, 3: 0.525}, base)
    found = corrected(
        [Compared("a", "b", "accuracy", luck), Compared("c", "b", "accuracy", tested)]
    )
    assert [pair.verdict for pair in found] == ["constant", "better"]
    assert [pair.family for pair in found] == [0, 1]
    assert found[1].adjusted == t_test_p(tested.difference)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_figure_that_is_not_defined_is_not_said_to_be_missing_yet(study, tmp_path, language):
    """On full data no class is a minority, however many runs finish."""
    text = study.to_toml().replace('metric = "accuracy"', 'metric = "minority_accuracy"')
    undefined = Study.from_toml(text, "undefined.toml")
    results = load_results(write_study(tmp_path / "out", undefined))
    (pair,) = pairs_of(results, "Skew")
    assert pair.verdict == "undefined"
    words = Words(language)
    said = sentence(Context(words, tmp_path, results), pair)
    assert words.metric("minority_accuracy") in said
    assert said == words(
        "comparison.undefined", candidate="λ = 0", baseline="full",
        metric=words.metric("minority_accuracy"),
    )  # fmt: skip
    lagging = load_results(
        write_study(tmp_path / "lags", undefined, leave_out=lambda run: "full" in run.arms)
    )
    assert [p.verdict for p in pairs_of(lagging, "Skew")] == ["missing"]
