"""What a report says of a second stage."""

from dataclasses import replace

import pytest

from tests.report.synthetic import context_of, write_study
from unskew.report.compose import compose
from unskew.report.document import Bullets, Paragraph, Table
from unskew.report.figures.style import styled
from unskew.report.sections.second_stage import confirm, how_chosen, second_stage_section
from unskew.study.parts import FIRST_FRESH_SEED
from unskew.study.spec import Study

pytestmark = pytest.mark.usefixtures("undrawn")

TEXT = """
name = "stages"
seeds = 3
[recipe]
epochs = 2
skew = { profile = "step", classes = [0, 1, 2, 3, 4], keep = 0.1 }
[[arms]]
name = "none"
[[arms]]
name = "wd{weight_decay}"
grid = { weight_decay = [1e-4, 1e-3, 1e-2] }
[[confirmations]]
name = "best"
title = "The best again"
baseline = "none"
among = ["*"]
best = 2
seeds = 6
"""

STRENGTHS = {1e-4: 2.0, 1e-3: 2.6, 1e-2: 3.2}


def strength(run):
    return STRENGTHS.get(run.recipe.weight_decay, 2.0)


@pytest.fixture(scope="module")
def study():
    return Study.from_toml(TEXT, "stages.toml")


@pytest.fixture(scope="module")
def out(study, tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("stages") / "out", study, strength=strength)


def section(found):
    with styled():
        return second_stage_section(found, confirm(found.results))


def test_the_best_are_compared_on_fresh_seeds_alone(out, tmp_path):
    (confirmed,) = confirm(context_of(out, tmp_path).results)
    assert [pair.candidate for pair in confirmed.pairs] == ["wd1e-2", "wd1e-3"]
    assert all(len(pair.by_seed) == 6 for pair in confirmed.pairs)
    seeds = {s for arm in confirmed.second.arms.values() for s in arm.runs}
    assert seeds == set(range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + 6))
    assert confirmed.pairs[0].verdict == "better"


def test_the_table_holds_both_gains_and_their_difference(out, tmp_path):
    found = context_of(out, tmp_path)
    (table,) = [b for b in section(found).blocks if isinstance(b, Table) and len(b.header) == 8]
    (confirmed,) = confirm(found.results)
    shortlist = confirmed.second.shortlist
    row = next(row for row in table.rows if row[0] == "wd1e-2")
    first = 100 * (shortlist.ranking["wd1e-2"] - shortlist.baseline)
    second = 100 * confirmed.pairs[0].paired.difference.mean
    assert row[5:] == tuple(f"{x:+.1f}".replace("-", "−") for x in (first, second, first - second))
    assert next(row for row in table.rows if row[0] == "none")[5:] == ("–", "–", "–")


def test_conclusions_begin_with_it_in_both_languages(out, tmp_path):
    for language, better in (("en", "is better than"), ("zh", "优于")):
        document = compose(context_of(out, tmp_path, language))
        bullets = next(b for b in document.sections[0].blocks if isinstance(b, Bullets))
        assert better in bullets.items[0]
        assert "second-stage" in [s.anchor for s in document.sections]


def test_what_is_missing_or_left_out_is_said(study, tmp_path):
    def half_done(run):
        return run.recipe.seed >= FIRST_FRESH_SEED + 2

    def diverged(run):
        return run.recipe.weight_decay == 1e-4 and run.recipe.seed == 1

    out = write_study(
        tmp_path / "out", study, strength=strength, leave_out=half_done, diverge=diverged
    )
    blocks = section(context_of(out, tmp_path)).blocks
    notes = [b.text for b in blocks if isinstance(b, Paragraph)]
    assert any("12 runs of this stage" in note for note in notes)
    (bullets,) = [b for b in blocks if isinstance(b, Bullets)]
    assert "“wd1e-4” is not ranked" in bullets.items[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_predicts_the_same_is_no_longer_run_unless_it_always_is(out, tmp_path, language):
    """What is always run again has a row of its own below, and does not count as one with it."""
    context = context_of(out, tmp_path, language)
    (stage,) = confirm(context.results)
    shortlist = replace(stage.second.shortlist, same_as={"wd1e-4": "none", "wd1e-3": "none"})
    assert "wd1e-3" in stage.second.arms
    assert "wd1e-4" not in stage.second.arms
    second = replace(stage.second, shortlist=shortlist)
    (bullets,) = [b for b in how_chosen(context, replace(stage, second=second))
                  if isinstance(b, Bullets)]  # fmt: skip
    gone, stays = bullets.items
    assert gone == context.words("second_stage.same", arm="wd1e-4", other="none")
    assert stays == context.words("second_stage.same_always", arm="wd1e-3", other="none")
    if language == "en":
        assert gone.endswith("of the first stage, so that of the two only “none” could go on.")
        assert "both go on" in stays
    assert not any("count once" in item or "只计一次" in item for item in bullets.items)


def test_before_its_first_run_there_are_no_figures(study, tmp_path):
    out = write_study(
        tmp_path / "out", study, strength=strength,
        leave_out=lambda run: run.recipe.seed >= FIRST_FRESH_SEED,
    )  # fmt: skip
    blocks = section(context_of(out, tmp_path)).blocks
    assert not [b for b in blocks if isinstance(b, Table)]
    assert [b for b in blocks if isinstance(b, Paragraph) and b.note]


def test_before_the_first_stage_is_over_there_is_no_section(study, tmp_path):
    out = write_study(
        tmp_path / "out", study, strength=strength,
        leave_out=lambda run: run.recipe.seed == 2,
    )  # fmt: skip
    assert section(context_of(out, tmp_path)).blocks == ()


def test_the_method_does_not_deny_that_half_of_the_test_images_chose(out, tmp_path):
    sections = compose(context_of(out, tmp_path)).sections
    method = next(section for section in sections if section.anchor == "method")
    bullets = next(block for block in method.blocks if isinstance(block, Bullets))
    assert "chosen on one half of the test images" in bullets.items[1]
    assert "Nothing is chosen" not in " ".join(bullets.items)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_where_nothing_but_the_baseline_goes_on_it_says_so(study, tmp_path, language):
    """Every other arm has diverged, so there is no pair to compare."""
    out = write_study(
        tmp_path / "out", study, diverge=lambda run: run.recipe.weight_decay in STRENGTHS
    )
    context = context_of(out, tmp_path, language)
    assert [list(second.arms) for second in context.results.second_stages] == [["none"]]
    document = compose(context)
    nothing = context.words("second_stage.nothing")
    (stage,) = [s for s in document.sections if s.anchor == "second-stage"]
    assert nothing in next(b for b in stage.blocks if isinstance(b, Paragraph)).text
    assert not [b for b in stage.blocks if isinstance(b, Table)]
    assert [b.items for b in document.sections[0].blocks if isinstance(b, Bullets)] == [(nothing,)]


def test_classes_that_the_second_half_has_no_image_of_are_named(out, tmp_path):
    context = context_of(out, tmp_path)
    (second,) = context.results.second_stages
    arm = second.arms["none"]
    seed, run = next(iter(arm.runs.items()))
    support = (0, *run.evaluation.support[1:])
    blind = replace(run, evaluation=replace(run.evaluation, support=support))
    (told, *_) = [b.text for b in section(context).blocks if isinstance(b, Paragraph)]
    assert "holds no image" not in told
    arm.runs[seed] = blind
    (told, *_) = [b.text for b in section(context).blocks if isinstance(b, Paragraph)]
    assert "holds no image of synthetic 0: a class with one test image" in told


def test_few_images_of_a_class_in_the_half_that_judges_are_told(out, tmp_path):
    """Half of what the section on the data tells of."""
    (_, note) = [b for b in section(context_of(out, tmp_path)).blocks if isinstance(b, Paragraph)]
    assert note.note
    assert note.text.startswith("Few test images: 10 classes, with 25 each. One image more or less")


def test_a_ranking_by_auroc_is_in_points_as_its_header_says(study, tmp_path):
    """An area is a share: of the pairs of images that are in order."""
    text = TEXT.replace("best = 2", 'best = 2\nmetric = "mean_auroc"')
    stages = Study.from_toml(text, "stages.toml")
    context = context_of(write_study(tmp_path / "out", stages, strength=strength), tmp_path)
    (confirmed,) = confirm(context.results)
    pair = confirmed.pairs[0]
    with styled():
        blocks = second_stage_section(context, [confirmed]).blocks
    (row, *_) = next(b for b in blocks if isinstance(b, Table)).rows
    assert row[1] == f"{100 * pair.paired.difference.mean:+.1f}"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_conclusions_say_where_a_second_stage_has_diverged(study, tmp_path, language):
    def baseline_again(run):
        return run.recipe.seed >= FIRST_FRESH_SEED and study.confirmations[0].baseline in run.arms

    out = write_study(tmp_path / "out", study, strength=strength, diverge=baseline_again)
    context = context_of(out, tmp_path, language)
    (stage,) = confirm(context.results)
    assert not stage.has_begun
    bullets = next(b for b in compose(context).sections[0].blocks if isinstance(b, Bullets))
    pair = stage.pairs[0]
    assert bullets.items[0] == context.words(
        "comparison.diverged",
        candidate=context.label(pair.candidate),
        baseline=context.label(pair.baseline),
    )
