"""Differences of differences: what is computed, and what is said of it."""

import pytest

from tests.report.synthetic import context_of, write_study
from unskew.errors import UserError
from unskew.evaluation.significance import holm, t_test_p
from unskew.report.compose import compose
from unskew.report.document import Bullets, Picture, Table
from unskew.report.interacting import interact
from unskew.report.sections.interactions import family_sentence, interaction_sentence
from unskew.study.spec import Study

pytestmark = pytest.mark.usefixtures("undrawn")

TEXT = """
name = "crossed"
seeds = 6
recipe.epochs = 1
[[arms]]
name = "{remedy}-wd{weight_decay}"
grid = { remedy = ["none", "focal"], weight_decay = [0, 1e-3, 1e-2, 1e-1] }
[[interactions]]
title = "Does it depend?"
grid = { weight_decay = [1e-3, 1e-2, 1e-1] }
label = "λ = {weight_decay}"
first = { label = "without focal", pair = ["none-wd{weight_decay}", "none-wd0"] }
second = { label = "with focal", pair = ["focal-wd{weight_decay}", "focal-wd0"] }
"""
GAINS = {("none", 1e-2): 1.5, ("focal", 1e-1): 1.5}
"""λ = 1e-3 does nothing to either, 1e-2 helps plain training alone, 1e-1 focal loss alone."""


def strength(run):
    return 1.5 + GAINS.get((run.recipe.remedy, run.recipe.weight_decay), 0.0)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    study = Study.from_toml(TEXT, "crossed.toml")
    return write_study(tmp_path_factory.mktemp("crossed") / "out", study, strength=strength)


def family_of(context):
    (family,) = context.results.study.expanded_interactions()
    return interact(context.results, family)


def test_it_is_the_difference_of_paired_differences(out, tmp_path):
    context = context_of(out, tmp_path)
    found = family_of(context)
    figures = {n: a.metric("balanced_accuracy") for n, a in context.results.arms.items()}
    by_seed = [
        figures["none-wd1e-2"][s] - figures["none-wd0"][s]
        - (figures["focal-wd1e-2"][s] - figures["focal-wd0"][s])
        for s in range(6)
    ]  # fmt: skip
    assert found[1].found.by_seed == pytest.approx(by_seed)
    assert found[1].found.paired.difference.mean == pytest.approx(sum(by_seed) / 6)
    raw = [t_test_p(f.found.paired.difference) for f in found]
    assert [f.found.adjusted for f in found] == holm(raw)


def test_what_is_said(out, tmp_path):
    context = context_of(out, tmp_path)
    family = family_of(context)
    assert [found.verdict for found in family] == ["none", "larger", "smaller"]
    nothing, plain, focal = (interaction_sentence(context, found) for found in family)
    assert nothing.startswith("λ = 1e-3: gains ")
    assert "No evidence that the two differ" in nothing
    assert "It gains more without focal (95 %" in plain
    assert "after Holm’s correction for 3 comparisons" in plain
    assert "It gains more with focal" in focal
    said = family_sentence(context, family)
    assert "larger without focal in 1 of 3" in said
    assert "larger with focal in 1," in said


def test_conclusions_tell_it_and_a_section_draws_it(out, tmp_path):
    for language, words in (("en", "It gains more without focal"), ("zh", "without focal增益更大")):
        document = compose(context_of(out, tmp_path, language))
        conclusions, section = (
            next(s for s in document.sections if s.anchor == anchor)
            for anchor in ("conclusions", "interactions")
        )
        said = [i for b in conclusions.blocks if isinstance(b, Bullets) for i in b.items]
        assert sum(words in item for item in said) == 1
        assert len(said) == 4  # one for the family, one for each
        (table,) = [b for b in section.blocks if isinstance(b, Table)]
        assert [row[0] for row in table.rows] == [
            "λ = 1e-3",
            "λ = 1e-2",
            "λ = 1e-1".replace("1e-1", "0.1"),
        ]
        assert all(len(row) == len(table.header) for row in table.rows)
        assert [b.name for b in section.blocks if isinstance(b, Picture)] == ["interaction-1"]


def test_one_seed_and_none(tmp_path):
    study = Study.from_toml(TEXT, "crossed.toml")

    def lags(run):
        return run.recipe.seed > 0 or (run.recipe.weight_decay == 1e-2)

    out = write_study(tmp_path / "out", study, leave_out=lags)
    context = context_of(out, tmp_path)
    family = family_of(context)
    assert [found.verdict for found in family] == ["single", "missing", "single"]
    assert "nothing can be said about chance" in interaction_sentence(context, family[0])
    assert "no finished seed in common" in interaction_sentence(context, family[1])
    assert "no evidence of one in 0, nothing to test in 3" in family_sentence(context, family)


def test_the_arms_must_exist():
    with pytest.raises(UserError, match="an interaction names 'none-wd1e-4'"):
        Study.from_toml(
            TEXT.replace("grid = { weight_decay = [1e-3", "grid = { weight_decay = [1e-4"), "t"
        )
    study = Study.from_toml(TEXT, "t")
    assert Study.from_toml(study.to_toml(), "copy") == study


@pytest.mark.parametrize("language", ["en", "zh"])
def test_where_less_is_better_it_does_better_where_the_loss_falls_more(tmp_path, language):
    study = Study.from_toml(TEXT.replace("grid = { weight_decay = [1e-3, 1e-2, 1e-1] }\nlabel",
        'metric = "nll"\ngrid = { weight_decay = [1e-3, 1e-2, 1e-1] }\nlabel'), "c")  # fmt: skip
    context = context_of(
        write_study(tmp_path / "out", study, strength=strength), tmp_path, language
    )
    family = family_of(context)
    assert [found.verdict for found in family] == ["none", "larger", "smaller"]
    assert family[1].found.paired.difference.mean < 0
    plain = interaction_sentence(context, family[1])
    better = {"en": "It does better without focal (95 %", "zh": "without focal效果更好"}[language]
    assert better in plain
    assert {"en": "gain", "zh": "增益"}[language] not in plain
    told = family_sentence(context, family)
    assert {"en": "for the better without focal in 1 of 3", "zh": "1 项without focal更好"}[
        language
    ] in told
    assert len(compose(context).sections) > 5


def test_an_undefined_figure_is_said_to_be_so(tmp_path):
    text = TEXT.replace('label = "λ', 'metric = "few_accuracy"\nlabel = "λ')
    context = context_of(write_study(tmp_path / "out", Study.from_toml(text, "c")), tmp_path)
    family = family_of(context)
    assert {found.verdict for found in family} == {"undefined"}
    assert "few-shot accuracy defined" in interaction_sentence(context, family[0])
    assert "nothing to test in 3" in family_sentence(context, family)
