"""A mean over a group of classes is compared only where the group is the same classes."""

from dataclasses import replace

import pytest

from tests.report.synthetic import context_of, write_study
from unskew.evaluation import groups
from unskew.report.compared import compare
from unskew.report.compose import compose
from unskew.report.document import Picture, Table
from unskew.report.interacting import interact
from unskew.report.ranked import rank_all
from unskew.report.sections.choice import choice_sentence, make_choices
from unskew.report.sections.conclusions import verdicts
from unskew.report.sections.interactions import interaction_sentence
from unskew.report.sections.method import method_section
from unskew.report.sections.published import claim_sentences
from unskew.report.sections.rankings import ranking_blocks
from unskew.report.sections.spreads import spread_sentence
from unskew.report.spreads import spread_all
from unskew.study.parts import Published
from unskew.study.spec import Study

pytestmark = pytest.mark.usefixtures("undrawn")

TEXT = """
name = "two-skews"
seeds = 3
recipe.epochs = 1
[[arms]]
name = "low-{remedy}"
grid = { remedy = ["none", "focal"] }
recipe.skew = { profile = "step", classes = [0, 1, 2], keep = KEEP }
recipe.weight_decay = DECAY
[[arms]]
name = "high-{remedy}"
grid = { remedy = ["none", "focal"] }
recipe.skew = { profile = "step", classes = HIGH, keep = 0.1 }
[[comparisons]]
metric = "METRIC"
pairs = [["low-none", "high-none"], ["low-focal", "low-none"]]
[[interactions]]
label = "across"
metric = "METRIC"
first = { pair = ["low-none", "high-none"], label = "plainly" }
second = { pair = ["low-focal", "high-focal"], label = "with focal" }
[[interactions]]
label = "within"
metric = "METRIC"
first = { pair = ["low-focal", "low-none"], label = "here" }
second = { pair = ["high-focal", "high-none"], label = "there" }
[[rankings]]
metric = "METRIC"
blocks = [{ arms = "low-*" }, { arms = "high-*" }]
[[rankings]]
metric = "METRIC"
blocks = [{ arms = "*-none", label = "plain ones" }, { arms = "*-focal", label = "focal ones" }]
[[spreads]]
arms = ["low-none", "high-none"]
metric = "METRIC"
source = "the skew"
[published]
source = "someone"
[[published.claims]]
text = "the low ones do better"
arm = "low-none"
than = "high-none"
metric = "METRIC"
low = 0.0
"""


def context(tmp_path, metric, *, high="[7, 8, 9]", keep="0.1", language="en"):
    text = TEXT.replace("METRIC", metric).replace("HIGH", high).replace("KEEP", keep)
    # Of one training set they are told apart by something else.
    text = text.replace("DECAY", "1e-4" if (high, keep) == ("[0, 1, 2]", "0.1") else "0")
    out = write_study(tmp_path / "out", Study.from_toml(text, "two-skews.toml"))
    return context_of(out, tmp_path, language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_unlike_groups_are_neither_compared_nor_ranked_and_it_is_said(tmp_path, language):
    found = context(tmp_path, "minority_accuracy", language=language)
    words, study = found.words, found.results.study
    name = words.metric("minority_accuracy")
    (comparison,) = study.expanded_comparisons()
    across, within = compare(found.results, comparison)
    assert (across.verdict, within.verdict) == ("unlike", "none")
    assert across.paired is None
    assert within.family == 1, "what is not compared does not weigh on the others"
    said = verdicts(found, [across, within]).items
    assert said[0] == words(
        "comparison.unlike", candidate="low-none", baseline="high-none", metric=name
    )
    many = verdicts(found, [across] * 11).items
    assert words("comparison.many_unlike", count=11, of=11, baseline="high-none", metric=name,
                 arms=words("words.between_items").join(["low-none"] * 11)) in many  # fmt: skip
    families = study.expanded_interactions()
    (crossed,), (gains,) = (interact(found.results, family) for family in families)
    assert (crossed.verdict, gains.verdict) == ("unlike", "none")
    assert interaction_sentence(found, crossed) == words(
        "interaction.unlike", label="across", metric=name
    )
    each, mixed = rank_all(found.results)
    assert each.ranks is not None, "within a block all have one skew"
    assert (mixed.ranks, mixed.waiting, mixed.undefined) == (None, False, [])
    assert words(
        "ranking.unlike", metric=name, blocks=words("words.between_items").join(
            found.text(label) for label in mixed.unlike
        ),
    ) in [block.text for block in ranking_blocks(found, "ranks", mixed)]  # fmt: skip
    (claim,) = claim_sentences(found, study.published, [])
    assert words("published.unlike", metric=name) in claim
    (spread,) = spread_all(found.results)
    assert spread.found is None
    assert spread_sentence(found, spread) == words("spread.unlike", metric=name, source="the skew")


def test_captions_say_that_groups_are_not_the_same_in_all_arms(tmp_path):
    blocks = [b for s in compose(context(tmp_path, "minority_accuracy")).sections for b in s.blocks]
    warning = "can be compared between arms of one training set alone"
    tables = [b.caption for b in blocks if isinstance(b, Table) and warning in b.caption]
    assert [caption[:12] for caption in tables] == ["Every arm, o", "Mean accurac"]
    assert [b.caption[:16] for b in blocks if isinstance(b, Picture) and warning in b.caption] == [
        "Minority classes"
    ]


def test_a_table_of_one_training_set_warns_of_no_other(tmp_path, monkeypatch):
    """Arms on full data, whose classes are all many-shot, are not in the table."""
    monkeypatch.setattr(groups, "MANY", 50)  # of the hundred images that a class has
    text = TEXT.replace("METRIC", "accuracy").replace("HIGH", "[0, 1, 2]").replace("KEEP", "0.1")
    text = text.replace("DECAY", "1e-4")
    study = Study.from_toml(text + '[[arms]]\nname = "full"\n', "with-full.toml")
    study = study.override(seeds=1)
    document = compose(context_of(write_study(tmp_path / "out", study), tmp_path))
    captions = [
        b.caption for s in document.sections for b in s.blocks if isinstance(b, Table | Picture)
    ]
    assert any("many-shot" in caption for caption in captions)
    assert not any("arms of one training set alone" in caption for caption in captions)


@pytest.mark.parametrize(
    ("metric", "high", "keep"),
    [("balanced_accuracy", "[7, 8, 9]", "0.1"), ("minority_accuracy", "[0, 1, 2]", "0.2")],
)
def test_other_figures_and_the_same_classes_are_compared(tmp_path, metric, high, keep):
    found = context(tmp_path, metric, high=high, keep=keep)
    (comparison,) = found.results.study.expanded_comparisons()
    assert all(pair.paired for pair in compare(found.results, comparison))
    _, mixed = rank_all(found.results)
    assert mixed.ranks is not None
    assert mixed.unlike == []


CHOICE = """
[[selections]]
name = "which"
arms = ["low-none", "low-focal"]
baseline = "low-none"
field = "remedy"
metric = "METRIC"
"""


def held_out_for_itself(results, name):
    """As if an arm's remedy had kept images of the first class out of training."""
    for table in (results.arms, results.validation):
        for seed, run in table[name].runs.items() if name in table else ():
            counts = (10**6, *run.evaluation.train_counts[1:])
            evaluation = replace(run.evaluation, train_counts=counts)
            table[name].runs[seed] = replace(run, evaluation=evaluation)


@pytest.mark.parametrize("metric", ["minority_accuracy", "balanced_accuracy"])
def test_nothing_is_chosen_by_means_over_unlike_groups(tmp_path, metric):
    text = TEXT.replace("[published]", CHOICE + "[published]").replace("METRIC", metric)
    text = text.replace("HIGH", "[7, 8, 9]").replace("KEEP", "0.1").replace("DECAY", "0")
    study = Study.from_toml(text, "two-skews.toml")
    found = context_of(write_study(tmp_path / "out", study), tmp_path)
    held_out_for_itself(found.results, "low-focal")
    (chosen,) = make_choices(found.results)
    unlike = metric == "minority_accuracy"
    assert (chosen.choice is None) is chosen.unlike is unlike
    told = choice_sentence(found, chosen)
    assert ("nothing can be chosen by minority accuracy" in told) is unlike
    claims = [{"text": "So.", "selection": "which", "metric": "minority_accuracy", "low": 0.0}]
    published = Published.model_validate({"source": "x", "claims": claims})
    chosen = replace(chosen, choice=chosen.choice and replace(chosen.choice, chosen="low-focal"))
    (said,) = claim_sentences(found, published, [chosen])
    assert found.words("published.unlike", metric=found.words.metric("minority_accuracy")) in said


def test_a_training_set_of_its_own_is_said_to_share_less(tmp_path):
    """Two arms of one skew, of which one keeps images out of training."""
    text = TEXT.partition("[[comparisons]]")[0].replace("HIGH", "[0, 1, 2]").replace("KEEP", "0.1")
    study = Study.from_toml(text.replace("DECAY", "1e-4"), "one-skew.toml")
    found = context_of(write_study(tmp_path / "out", study), tmp_path)
    assert found.words("method.unlike") not in method_section(found).blocks[0].items[0]
    held_out_for_itself(found.results, "high-none")
    assert found.words("method.unlike") in method_section(found).blocks[0].items[0]
