"""Two kinds of chance told apart: what is computed, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from tests.report.synthetic import context_of, write_study
from unskew.errors import UserError
from unskew.evaluation.spread import spread
from unskew.report.compose import compose
from unskew.report.document import Bullets, Picture, Table
from unskew.report.sections.spreads import spread_sentence
from unskew.report.spreads import spread_all
from unskew.study.spec import Study

TEXT = """
name = "spread"
seeds = 4
recipe.epochs = 1
[[arms]]
name = "{remedy}-{subset_seed}"
recipe.skew = { profile = "step", classes = [0, 1], keep = 0.5 }
grid = { remedy = ["none", "focal"], subset_seed = [0, 1, 2] }
[[spreads]]
title = "Subset or seed? {remedy}"
grid = { remedy = ["none", "focal"] }
arms = ["{remedy}-*"]
source = "the images that are kept"
"""


def strength(run):
    """Without a remedy the subset decides; with one it does nothing."""
    return 1.5 + (run.recipe.subset_seed if run.recipe.remedy == "none" else 0.0)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    study = Study.from_toml(TEXT, "spread.toml")
    return write_study(tmp_path_factory.mktemp("spread") / "out", study, strength=strength)


def test_it_is_the_spread_of_every_arm_and_seed(out, tmp_path):
    context = context_of(out, tmp_path)
    none, focal = spread_all(context.results)
    assert none.part.arms == ["none-0", "none-1", "none-2"]
    assert none.seeds == (0, 1, 2, 3)
    figures = [context.results.arms[n].metric("balanced_accuracy") for n in none.part.arms]
    assert none.figures.tolist() == [[by_seed[s] for s in range(4)] for by_seed in figures]
    assert none.found == spread(none.figures)
    assert none.found.rows > 5 * focal.found.rows


def test_what_is_said(out, tmp_path):
    context = context_of(out, tmp_path)
    none, focal = (spread_sentence(context, found) for found in spread_all(context.results))
    assert "With the images that are kept (3 of them, 4 seeds each) balanced accuracy moves" in none
    assert "is more than chance" in none
    assert "No evidence that it moves with the images that are kept" in focal


def test_an_interval_that_closes_is_not_taken_for_certainty(out, tmp_path):
    context = context_of(out, tmp_path)
    none = spread_all(context.results)[0]
    # Rows of one mean: closer together than chance would have them.
    figures = np.array([[0.4, 0.5, 0.6], [0.6, 0.4, 0.5], [0.5, 0.6, 0.4]])
    even = replace(none, figures=figures, found=spread(figures))
    assert even.found.rows_high == 0
    assert "closes at zero is no certainty" in spread_sentence(context, even)
    assert "closes at zero" not in spread_sentence(context, none)


@pytest.mark.usefixtures("once_undrawn")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_has_both(out, tmp_path, language):
    context = context_of(out, tmp_path, language)
    document = compose(context)
    (section,) = [s for s in document.sections if s.anchor == "spreads"]
    pictures = [block for block in section.blocks if isinstance(block, Picture)]
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert [p.name for p in pictures] == ["spread-1", "spread-2"]
    assert all((context.figures / f"{p.name}.svg").exists() for p in pictures)
    for table in tables:
        values = np.array([[float(v) for v in row[1:]] for row in table.rows])
        assert values.shape == (4, 5)
        assert values[:3, -1] == pytest.approx(values[:3, :4].mean(axis=1), abs=1e-3)
        assert values[-1] == pytest.approx(values[:3].mean(axis=0), abs=1e-3)
    conclusions = document.sections[0]
    said = [i for b in conclusions.blocks if isinstance(b, Bullets) for i in b.items]
    assert spread_sentence(context, spread_all(context.results)[0]) in said
    method = document.sections[-1]
    told = [i for b in method.blocks if isinstance(b, Bullets) for i in b.items]
    listed = context.words("words.between_items").join("012")
    shared = {"subset_seeds": listed, "alike": "", "unlike": ""}
    assert context.words("method.pairing_subsets", **shared) in told


def test_with_one_seed_it_says_so(tmp_path):
    study = Study.from_toml(TEXT, "spread.toml").override(seeds=1)
    context = context_of(write_study(tmp_path / "out", study), tmp_path)
    found = spread_all(context.results)[0]
    assert found.found is None
    assert "nothing can be said" in spread_sentence(context, found)
    assert compose(context).sections


def test_a_spread_of_one_arm_is_refused():
    with pytest.raises(UserError, match="a spread takes two arms or more, and has 1"):
        Study.from_toml(TEXT.replace('"{remedy}-*"', '"{remedy}-0"'), "spread.toml")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_of_figures_without_a_rest_no_test_is_told(out, tmp_path, language):
    context = context_of(out, tmp_path, language)
    figures = np.array([[0.0, 0.1, 0.2], [0.2, 0.3, 0.4]])
    luck = replace(spread_all(context.results)[0], figures=figures, found=spread(figures))
    said = spread_sentence(context, luck)
    source = "the images that are kept"
    assert context.words("spread.untested", source=source) in said
    assert "p <" not in said


def test_seeds_that_an_arm_lost_are_named(tmp_path):
    study = Study.from_toml(TEXT, "spread.toml")
    lost = write_study(
        tmp_path / "out", study, diverge=lambda r: r.recipe.seed == 2 and "none-1" in r.arms
    )
    context = context_of(lost, tmp_path)
    none, focal = spread_all(context.results)
    assert (none.seeds, none.diverged, focal.diverged) == ((0, 1, 3), (2,), ())
    assert "Without the seeds on which an arm of these diverged (2)" in spread_sentence(
        context, none
    )
    assert "diverged" not in spread_sentence(context, focal)


def test_an_undefined_figure_is_not_waited_for(tmp_path):
    study = Study.from_toml(TEXT.replace("source =", 'metric = "few_accuracy"\nsource ='), "s.toml")
    study = study.override(recipe={"epochs": 2})
    arms = [arm.model_copy(update={"recipe": {}}) for arm in study.arms]  # full data: none has few
    out = write_study(tmp_path / "out", study.model_copy(update={"arms": arms}))
    context = context_of(out, tmp_path)
    found = spread_all(context.results)[0]
    assert (found.found, found.undefined) == (None, True)
    assert "On fewer than two seeds is few-shot accuracy defined" in spread_sentence(context, found)


def test_a_spread_of_what_diverged_is_not_waited_for(tmp_path):
    study = Study.from_toml(TEXT, "spread.toml")
    out = write_study(tmp_path / "out", study, diverge=lambda run: run.recipe.remedy == "none")
    context = context_of(out, tmp_path)
    none, focal = spread_all(context.results)
    assert spread_sentence(context, none) == context.words(
        "spread.diverged", source="the images that are kept"
    )
    assert focal.found is not None
