"""What the sections say about a study whose answer is known."""

import json
import re
from dataclasses import replace

import pytest

from tests.report.synthetic import context_of, write_study
from unskew.evaluation.significance import mean_interval, paired_difference
from unskew.models.registry import description, names
from unskew.report.binding import bound
from unskew.report.catalogue import Words
from unskew.report.compared import Compared, corrected
from unskew.report.compose import compose
from unskew.report.context import Context
from unskew.report.document import Bullets, Document, Paragraph, Picture, Table
from unskew.report.figures.style import styled
from unskew.report.markdown import to_markdown
from unskew.report.sections.choice import choice_sentence, make_choices
from unskew.report.sections.comparisons import detectable_sentence, difference_table
from unskew.report.sections.conclusions import sentence
from unskew.report.sections.data import data_section
from unskew.report.sections.method import method_section
from unskew.report.sections.published import _holds, claim_sentences, published_section
from unskew.report.sections.results import curves_section
from unskew.study.parts import Claim, Published
from unskew.study.results import load_results
from unskew.study.spec import Study

pytestmark = pytest.mark.usefixtures("undrawn")


def document_of(out, figures, language="en") -> tuple[Document, Context]:
    context = Context(Words(language), figures, load_results(out))
    return compose(context), context


@pytest.fixture(scope="module")
def whole(made_up, tmp_path_factory):
    return document_of(made_up, tmp_path_factory.mktemp("figures"))[0]


def blocks(document, anchor, kind):
    section = next(s for s in document.sections if s.anchor == anchor)
    return [block for block in section.blocks if isinstance(block, kind)]


def test_conclusions_say_what_the_numbers_say(whole):
    said = [item for block in blocks(whole, "conclusions", Bullets) for item in block.items]
    assert said[0].startswith("“λ = 0” is worse than “full”: accuracy 0.")
    assert said[1].startswith("No evidence that “λ = 1e-3” differs from “λ = 0”: balanced accuracy")
    assert "after Holm’s correction for 2 comparisons" in said[1]
    assert "would likely have been seen" in said[1]
    assert said[2].startswith("“λ = 1e-2” is worse than “λ = 0”")
    assert "points" not in said[3]  # a loss is no share
    assert said[4].startswith("Decay: validation chooses λ = ")
    (note,) = blocks(whole, "conclusions", Paragraph)
    assert "p = 0.031" in note.text


def test_every_figure_says_what_is_seen_and_how_many_seeds(whole):
    pictures = [b for s in whole.sections for b in s.blocks if isinstance(b, Picture)]
    assert all(picture.alt and picture.caption for picture in pictures)
    for picture in pictures:
        if picture.name.startswith(("overview", "curves", "comparison", "classes", "confusion")):
            assert "6 seeds" in picture.caption, picture.name


def test_tables_have_a_header_for_every_column(whole):
    tables = [b for s in whole.sections for b in s.blocks if isinstance(b, Table)]
    assert len(tables) >= 6
    for table in tables:
        assert all(len(row) == len(table.header) for row in table.rows)


def test_networks_go_by_the_name_that_the_study_gives_them(whole):
    (table,) = blocks(whole, "networks", Table)
    assert table.caption.startswith("CNN, layer by layer")
    *layers, total = table.rows
    assert total[3] == f"{sum(int(row[3].replace(',', '') or 0) for row in layers):,}"


def test_balanced_accuracy_is_left_out_where_it_is_accuracy(whole):
    (table,) = blocks(whole, "results", Table)
    assert "balanced accuracy" not in table.header
    assert "balanced accuracy is accuracy" in table.caption


def test_how_many_seeds_an_arm_has_stands_beside_its_name(whole):
    """A wide table shows its first columns, and a partial report sends readers to this one."""
    (table,) = blocks(whole, "results", Table)
    assert table.header[:3] == ("arm", "seeds", "accuracy")
    assert {row[1] for row in table.rows} == {"6"}
    assert "| arm | seeds | accuracy |" in to_markdown(whole)


ALONE = """
name = "alone"
seeds = 1
recipe.epochs = 1
recipe.skew = { profile = "step", classes = [0, 1], keep = 0.1 }
[[arms]]
name = "{remedy}-{weight_decay}"
grid = { remedy = ["none", "focal"], weight_decay = [0, 1e-3] }
[[comparisons]]
pairs = [["focal-0", "none-0"]]
[[selections]]
name = "decay"
arms = ["none-*"]
baseline = "none-0"
field = "weight_decay"
[[interactions]]
label = "decay"
metric = "METRIC"
first = { pair = ["none-1e-3", "none-0"], label = "plainly" }
second = { pair = ["focal-1e-3", "focal-0"], label = "with focal" }
[[confirmations]]
name = "again"
baseline = "none-0"
among = ["*"]
best = 1
seeds = 1
"""


@pytest.mark.parametrize("metric", ["accuracy", "nll"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_of_one_seed_no_caption_tells_of_intervals_or_means_over_seeds(tmp_path, metric, language):
    text = ALONE.replace("METRIC", metric)

    def told(study, folder):
        out = write_study(tmp_path / folder, study)
        document, context = document_of(out, tmp_path / f"{folder} figures", language)
        shown = [b for s in document.sections for b in s.blocks if isinstance(b, Picture | Table)]
        return context, [document.lead[0].text, *(block.caption for block in shown)]

    claims = re.compile("95 %|half|±|bands|worst seed|means over|各种子|菱形|阴影为种子|标准差")
    context, alone = told(Study.from_toml(text, "alone.toml"), "alone")
    assert [caption for caption in alone if claims.search(caption)] == []
    pairs = Study.from_toml(text, "alone.toml").override(seeds=2)
    stages = [stage.model_copy(update={"seeds": 2}) for stage in pairs.confirmations]
    _, several = told(pairs.model_copy(update={"confirmations": stages}), "several")
    assert len(several) == len(alone)
    assert sum(bool(claims.search(caption)) for caption in several) > 12
    assert context.words("overview.caption_one", metric=context.words.metric("accuracy")) in alone


@pytest.mark.parametrize("language", ["en", "zh"])
def test_shared_settings_are_written_as_the_page_and_a_recipes_file_write_them(tmp_path, language):
    study = Study.from_toml(
        'name = "shared"\nseeds = 1\n[recipe]\nepochs = 2\nschedule = "step"\n'
        'milestones = [1, 2]\nremedy = "ldam+drw"\nmodel = "cnn"\n'
        "model_options = { hidden = 64 }\n"
        "remedy_options = { ldam = { max_m = 0.4, s = 20 }, drw = { beta = 0.99 } }\n"
        'skew = { profile = "step", classes = [0, 1, 2, 3, 4], keep = 0.014 }\n'
        'test_skew = { profile = "exponential", imbalance_ratio = 10 }\n'
        '[[arms]]\nname = "a"\n[[arms]]\nname = "b"\nrecipe.weight_decay = 1e-3\n',
        "shared.toml",
    )
    context = context_of(write_study(tmp_path / "out", study), tmp_path, language)
    (table,) = [b for b in method_section(context).blocks if isinstance(b, Table)]
    shown, words = dict(table.rows), context.words
    classes = "synthetic 0 … synthetic 4"
    assert shown["skew"] == words("words.step", classes=classes, keep="1.4 %")
    assert shown["test_skew"] == words("words.exponential", ratio="10")
    assert shown["milestones"] == "1, 2"
    assert shown["nesterov"] == "false"
    assert shown["model_options"] == "hidden = 64"
    between = words("words.between_clauses")
    options = ["ldam.max_m = 0.4", "ldam.s = 20", "drw.beta = 0.99"]
    assert shown["remedy_options"] == between.join(options)
    assert not re.search(r"[{}\[\]']", "".join(shown.values()))
    assert "max_steps" not in shown
    assert "drop" in shown
    idle = {"rise", "rise_from", "fall_to", "filter_learning_rate", "filter_momentum"}
    assert not idle & shown.keys()


def test_a_shared_setting_that_acts_in_one_arm_alone_is_told(tmp_path):
    study = Study.from_toml(
        'name = "shared"\nseeds = 1\n[recipe]\nepochs = 2\n'
        '[[arms]]\nname = "a"\n[[arms]]\nname = "b"\nrecipe.optimizer = "muon"\n',
        "shared.toml",
    )
    context = context_of(write_study(tmp_path / "out", study), tmp_path)
    (table,) = [b for b in method_section(context).blocks if isinstance(b, Table)]
    assert dict(table.rows)["filter_momentum"] == "0.6"


def test_curves_of_one_training_are_drawn_once(tmp_path):
    plain = 'name = "twins"\nseeds = 2\n[recipe]\nepochs = 2\n[[arms]]\nname = "plain"\n'
    after = '[[arms]]\nname = "after"\nrecipe.remedy = "posthoc_logit_adjustment"\n'
    both, one = Study.from_toml(plain + after, "both.toml"), Study.from_toml(plain, "one.toml")
    context = context_of(write_study(tmp_path / "both", both), tmp_path)
    (picture,) = curves_section(context).blocks
    assert picture.alt == context.words("curves.alt", arms="plain")
    assert picture.caption.endswith(context.words("curves.taken_over"))
    context = context_of(write_study(tmp_path / "one", one), tmp_path)
    (picture,) = curves_section(context).blocks
    assert context.words("curves.taken_over") not in picture.caption


def test_the_packages_networks_are_described_in_chinese_and_others_by_themselves():
    chinese, english = Words("zh"), Words("en")
    for name in names():
        assert re.search("[一-龥]", chinese.network(name, description(name)))
        assert english.network(name, description(name)) == description(name)
    assert chinese.network("mine", "Of my own.") == "Of my own."


def test_a_chinese_page_describes_its_networks_in_chinese(made_up, tmp_path):
    document, context = document_of(made_up, tmp_path, "zh")
    (told,) = blocks(document, "networks", Paragraph)
    assert told.text == context.words("network.cnn")


def test_where_every_run_of_an_arm_diverged(study, tmp_path):
    def explodes(run):
        return run.recipe.weight_decay == 1e-2

    out = write_study(tmp_path / "out", study, diverge=explodes)
    document, context = document_of(out, tmp_path / "figures")
    (note,) = blocks(document, "results", Paragraph)
    assert note.text.startswith("λ = 1e-2: 6 of 6 runs diverged")
    said = [item for block in blocks(document, "conclusions", Bullets) for item in block.items]
    assert any(item.startswith("“λ = 1e-2” and “λ = 0” cannot be compared") for item in said)
    (choice,) = [item for item in said if item.startswith("Decay: validation chooses λ = ")]
    assert "Left out of the choice, because a run of theirs diverged: 1e-2." in choice
    assert "choice-1" in context.drawn


def test_a_choice_of_which_every_value_diverged(study, tmp_path):
    out = write_study(tmp_path / "out", study, diverge=lambda run: run.for_choice)
    document, context = document_of(out, tmp_path / "figures")
    said = [item for block in blocks(document, "conclusions", Bullets) for item in block.items]
    assert "Decay: a run of every value diverged, so there is nothing to choose among." in said
    assert "choice-1" not in context.drawn


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_method_of_a_subset_for_each_seed(study, tmp_path, language):
    each = study.override(subset_per_seed=True, recipe={"subset_seed": 5})
    document, context = document_of(write_study(tmp_path / "a", each), tmp_path / "f", language)
    said, words = blocks(document, "method", Bullets)[0].items[0], context.words
    alike, unlike = words("method.alike"), words("method.unlike") + words("words.between_sentences")
    assert said == words("method.pairing_each", alike=alike, unlike=unlike)
    (settings,) = blocks(document, "method", Table)
    assert "subset_seed" not in [row[0] for row in settings.rows]
    # Arms whose subsets are drawn by other seeds share no subset in any seed.
    arms = [
        arm.model_copy(update={"recipe": {**arm.recipe, "subset_seed": n}})
        for n, arm in enumerate(study.arms)
    ]
    several = study.override(subset_per_seed=True).model_copy(update={"arms": arms})
    document, _ = document_of(write_study(tmp_path / "b", several), tmp_path / "g", language)
    said = blocks(document, "method", Bullets)[0].items[0]
    assert said == words("method.pairing_each_subsets", alike=alike, unlike=unlike)


def test_nothing_has_run(study, tmp_path):
    out = write_study(tmp_path / "out", study, leave_out=lambda run: True)
    document, _ = document_of(out, tmp_path / "figures")
    assert "24 of 24 runs are not over yet" in document.lead[-1].text
    assert [s.anchor for s in document.sections][:3] == ["conclusions", "data", "networks"]


def test_two_arms_of_one_label_are_told_apart(study, tmp_path):
    twins = study.model_copy(
        update={"arms": [arm.model_copy(update={"label": {"en": "arm"}}) for arm in study.arms]}
    )
    results = load_results(write_study(tmp_path / "out", twins))
    context = Context(Words("en"), tmp_path / "figures", results)
    assert len(context.finished()) == 4
    assert context.label("wd0") == "arm (wd0)"


def test_labels_that_read_alike_in_one_language_alone_are_told_apart(study, tmp_path):
    """One has no Chinese label, and its English one is another's Chinese one."""
    labels = iter([{"en": "cRT"}, {"en": "classifier retrained", "zh": "cRT"}])
    arms = [
        arm.model_copy(update={"label": next(labels, arm.label), "grid": {}, "name": f"a{n}"})
        for n, arm in enumerate(study.arms[:2])
    ]
    parts = {"arms": arms, "comparisons": [], "selections": [], "published": None}
    twins = study.model_copy(update=parts)
    results = load_results(write_study(tmp_path / "out", twins))
    chinese = Context(Words("zh"), tmp_path / "figures", results)
    assert set(chinese.finished()) == {"cRT (a0)", "cRT (a1)"}
    english = Context(Words("en"), tmp_path / "figures", results)
    assert set(english.finished()) == {"cRT", "classifier retrained"}


def test_chinese_sentences_follow_without_a_space(made_up, tmp_path):
    document, _ = document_of(made_up, tmp_path, "zh")
    (table,) = blocks(document, "results", Table)
    assert "。测试图像" in table.caption


def test_lines_do_not_break_within_a_number():
    nbsp, joiner = "\N{NO-BREAK SPACE}", "\N{WORD JOINER}"
    assert bound("λ = 1e-3, 95 %") == f"λ{nbsp}={nbsp}1e-{joiner}3, 95{nbsp}%"
    assert bound("a − b") == f"a −{nbsp}b"


def test_many_comparisons_with_one_baseline_are_told_by_their_verdicts(tmp_path):
    study = Study.from_toml(
        'name = "many"\nseeds = 4\nrecipe.epochs = 2\n[[arms]]\nname = "lr{learning_rate}"\n'
        "grid = { learning_rate = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.2,"
        " 0.3] }\n"
        '[[comparisons]]\nbaseline = "lr1e-2"\ncandidates = ["lr0.02", "lr0.03", "lr0.04",'
        ' "lr0.05", "lr0.06", "lr0.07", "lr0.08", "lr0.09", "lr0.1", "lr0.2", "lr0.3"]\n',
        "many.toml",
    )
    # Gains are in proportion to the rate: 0.3 gains most, 0.02 next to nothing.
    out = write_study(
        tmp_path / "out",
        study,
        strength=lambda run: 1.5 + 6 * run.recipe.learning_rate,
        leave_out=lambda run: run.recipe.learning_rate == 0.05,
    )
    document, _ = document_of(out, tmp_path / "figures")
    better, none, missing = (i for b in blocks(document, "conclusions", Bullets) for i in b.items)
    assert better.startswith("Better than “lr1e-2” in balanced accuracy")
    arms = better.split(": ")[1].split(", ")
    assert arms[0].startswith("lr0.3 (+")
    gains = [float(arm.split("(")[1].strip("+).")) for arm in arms]
    assert gains == sorted(gains, reverse=True)
    assert len(gains) > 4
    assert "lr0.02" in none
    assert missing.endswith("1 of 11: lr0.05.")
    chinese, _ = document_of(out, tmp_path / "figures", "zh")
    (first, *_) = (i for b in blocks(chinese, "conclusions", Bullets) for i in b.items)
    assert "优于“lr1e-2”" in first
    arm = study.arms[0].model_copy(update={"label": {"en": "lr, {learning_rate}"}})
    results = replace(load_results(out), study=study.model_copy(update={"arms": [arm]}))
    results.arms.update(
        {
            name: replace(found, arm=found.arm.model_copy(update={"label": {"en": f"lr, {name}"}}))
            for name, found in results.arms.items()
        }
    )
    commas = compose(Context(Words("en"), tmp_path / "more figures", results))
    (first, *_) = (i for b in blocks(commas, "conclusions", Bullets) for i in b.items)
    assert "; lr, lr0.2 (+" in first


def test_many_comparisons_with_several_baselines_are_told_by_baseline_and_verdict(tmp_path):
    study = Study.from_toml(
        'name = "many"\nseeds = 3\nrecipe.epochs = 1\n[[arms]]\nname = "lr{learning_rate}"\n'
        "grid = { learning_rate = [0.02, 0.03, 0.04, 0.05, 0.06, 0.07] }\n"
        "[[comparisons]]\npairs = ["
        '["lr0.03", "lr0.02"], ["lr0.04", "lr0.02"], ["lr0.05", "lr0.02"], ["lr0.06", "lr0.02"],'
        '["lr0.02", "lr0.03"], ["lr0.04", "lr0.03"], ["lr0.05", "lr0.03"], ["lr0.06", "lr0.03"],'
        '["lr0.07", "lr0.03"], ["lr0.05", "lr0.04"], ["lr0.06", "lr0.05"]]\n',
        "many.toml",
    )
    out = write_study(tmp_path / "out", study, strength=lambda run: 2.0)
    document, _ = document_of(out, tmp_path / "figures")
    items = [i for b in blocks(document, "conclusions", Bullets) for i in b.items]
    several = [item for item in items if " of 4" in item or " of 5" in item]
    assert {item.split("“")[1].split("”")[0] for item in several} == {"lr0.02", "lr0.03"}
    alone = [item for item in items if item not in several]
    assert len(alone) == 2
    assert "“lr0.05”" in alone[0]
    assert "“lr0.04”" in alone[0]
    assert "“lr0.06”" in alone[1]
    assert "“lr0.05”" in alone[1]


def test_the_method_says_that_nothing_is_chosen_on_test_images_and_no_epoch_at_all(whole):
    (bullets,) = blocks(whole, "method", Bullets)
    assert bullets.items[1] == "Nothing is chosen on the test images."
    assert "no epoch is chosen" in bullets.items[2]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("steps", "key"),
    [
        ([99, 75], "short"),
        ([99, 100], "some_short"),
        ([100, 5000], None),
        ([0, 0], None),  # of a version that did not say
    ],
)
def test_the_method_says_of_short_runs_how_their_norms_are_read(
    study, tmp_path, language, steps, key
):
    out = write_study(tmp_path / "out", study)
    for index, path in enumerate(sorted(out.glob("runs/*/run.json"))):
        told = json.loads(path.read_text(encoding="utf-8"))
        told["steps"] = steps[index % 2]
        path.write_text(json.dumps(told), encoding="utf-8")
    assert_told_of_short_runs(context_of(out, tmp_path, language), key)


def test_a_run_that_diverged_early_is_not_taken_for_a_short_one(study, tmp_path):
    out = write_study(tmp_path / "out", study, diverge=lambda run: run.recipe.seed == 0)
    for path in out.glob("runs/*/run.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        told["steps"] = 50 if told["outcome"] == "diverged" else 5000
        path.write_text(json.dumps(told), encoding="utf-8")
    assert_told_of_short_runs(context_of(out, tmp_path), None)


def assert_told_of_short_runs(context, key):
    (bullets,) = [b for b in method_section(context).blocks if isinstance(b, Bullets)]
    for each in ("short", "some_short"):
        assert (context.words(f"method.{each}", steps=100) in bullets.items) == (each == key)


def test_comparisons_state_the_smallest_p_and_the_smallest_difference(whole):
    alone, two, _ = blocks(whole, "comparisons", Table)
    assert "Neither Wilcoxon’s nor a sign-flip test can give less than p = 0.031" in alone.caption
    assert "over 2 comparisons; neither" in two.caption
    for table in (alone, two):
        assert table.header[-1] == "smallest difference it could show"
        assert all(float(row[-1]) > 0 for row in table.rows)


@pytest.mark.parametrize(("enough", "said"), [(10_000, True), (1, False)])
def test_a_choice_on_few_held_out_images_of_a_class_says_so(
    study, tmp_path, monkeypatch, enough, said
):
    monkeypatch.setattr("unskew.report.sections.choice.FEW_HELD_OUT", enough)
    out = write_study(tmp_path / "out", study)
    document, context = document_of(out, tmp_path / "figures")
    runs = context.results.validation["wd0"].runs.values()
    fewest = min(min(run.evaluation.support) for run in runs)
    text = " ".join(block.text for block in blocks(document, "choice", Paragraph))
    assert (f"smallest class are held out ({fewest})" in text) is said


def test_a_choice_names_the_classes_of_which_none_is_held_out(study, tmp_path, monkeypatch):
    out = write_study(tmp_path / "out", study)
    classes = len(load_results(out).data.class_names)
    held_out = [90, 0, *[3] * (classes - 3), 0]
    monkeypatch.setattr("unskew.report.sections.choice._held_out", lambda *_: held_out)
    document, context = document_of(out, tmp_path / "figures")
    text = " ".join(block.text for block in blocks(document, "choice", Paragraph))
    names = context.results.data.class_names
    assert f"No image of {names[1]}, {names[-1]} is held out" in text
    # Of the smallest classes none is held out, so these are not they.
    assert "Of the smallest of the other classes so few images are held out (3) that" in text
    assert "of the smallest class" not in text


@pytest.mark.parametrize(
    ("tested", "said"),
    [
        ([50] * 10, None),
        (
            [2, 40, *[50] * 8],
            "synthetic 0 (2), synthetic 1 (40). One image more or less is 2.5–50 ",
        ),
        ([20] * 9 + [25], "10 classes, with 20–25 each. One image more or less is 4–5 points"),
        ([0, *[50] * 9], None),
    ],
)
def test_classes_with_few_test_images_are_named(study, tmp_path, tested, said):
    """Before the first run is over by data.json, which tells the images of each training set."""
    out = write_study(tmp_path / "out", study, leave_out=lambda run: True)
    data = json.loads((out / "data.json").read_text("utf-8"))
    for found in data["skews"].values():
        found["test"] = tested
    (out / "data.json").write_text(json.dumps(data), "utf-8")
    with styled():
        section = data_section(context_of(out, tmp_path))
    notes = [b.text for b in section.blocks if isinstance(b, Paragraph) and b.note]
    assert (said is None) == (not notes)
    assert said is None or said in notes[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_skewed_test_set_is_named_and_its_few_images_counted(study, tmp_path, language):
    """Of a test set that all arms share; arms of unlike ones are warned of instead."""
    skew = {"profile": "step", "classes": [0, 1], "keep": 0.5}
    skewed = study.override(recipe={"test_skew": skew}).model_copy(update={"selections": []})
    context = context_of(write_study(tmp_path / "out", skewed), tmp_path, language)
    arm = context.results.arms["full"]
    arm.runs[0] = replace(
        arm.runs[0], evaluation=replace(arm.runs[0].evaluation, support=(25, 0, *[50] * 8))
    )
    words = context.words

    def notes():
        with styled():
            section = data_section(context)
        return [b.text for b in section.blocks if isinstance(b, Paragraph)]

    told = words("words.step", classes="synthetic 0, synthetic 1", keep="50 %")
    first, second = notes()
    assert first == words("data.all_skewed", skew=told)
    few = words("data.few_tested", classes="synthetic 0 (25)", points="4")
    assert second == words.sentences(few, words("data.few_tested_alike"))
    each = context.results.study.model_copy(update={"subset_per_seed": True})
    context.results = replace(context.results, study=each)
    assert notes()[1] == words.sentences(few, words("data.few_tested_each"))
    one = context.results.arms["wd0"].arm
    plain = one.model_copy(update={"recipe": one.recipe.model_copy(update={"test_skew": None})})
    context.results.arms["wd0"] = replace(context.results.arms["wd0"], arm=plain)
    assert notes()[0] == words("data.test_skewed")


def test_a_difference_without_spread_is_told_as_luck(study, tmp_path):
    """In a sentence and under a table; where seeds differ it is not said."""
    context = context_of(write_study(tmp_path / "out", study), tmp_path)

    def told(*by_seed):
        paired = paired_difference(dict(enumerate(by_seed)), dict.fromkeys(range(3), 0.1))
        first, second = list(context.results.arms)[:2]
        (pair,) = corrected([Compared(first, second, "accuracy", paired, by_seed=by_seed)])
        table = difference_table(context, "pair", {"a": pair}, "caption")
        return sentence(context, pair), table.caption, table.rows[0][-1]

    warning = context.words("comparison.constant_meaning")
    constant, caption, detectable = told(0.3, 0.3, 0.3)
    assert "by the same on every seed: accuracy" in constant
    assert "p = " not in constant
    assert "p <" not in constant
    assert constant.endswith(warning)
    assert caption.endswith(warning)
    assert detectable == "–"
    differing, caption, detectable = told(0.3, 0.31, 0.3)
    assert warning not in differing + caption
    assert float(detectable) > 0


@pytest.mark.parametrize(
    ("by_seed", "metric", "said"),
    [
        ([0.01, 0.02, -0.01], "accuracy", " A true difference of 5.0 points would"),
        ([0.3, 0.7], "accuracy", " With this spread not even the largest"),
        ([0.0, 0.0], "accuracy", " Every seed gives both the same."),
        ([0.3, 0.7], "nll", " A true difference of 3.267 "),
        ([0.3], "accuracy", ""),
    ],
)
def test_what_so_many_seeds_could_have_shown(by_seed, metric, said):
    differences = dict(enumerate(by_seed))
    paired = paired_difference(differences, dict.fromkeys(differences, 0.0))
    pair = Compared("a", "b", metric, paired, by_seed=tuple(by_seed))
    told = detectable_sentence(Words("en"), pair)
    assert told.startswith(said)
    assert bool(told) == bool(said)


def test_what_a_divergence_leaves_is_told(study, tmp_path):
    """An arm that never survives cannot be compared, one that sometimes does is by what is left."""

    def explodes(run):
        decay, seed = run.recipe.weight_decay, run.recipe.seed
        return not run.for_choice and (decay == 1e-2 or (decay == 1e-3 and seed in (1, 4)))

    document, _ = document_of(
        write_study(tmp_path / "out", study, diverge=explodes), tmp_path / "f"
    )
    said = [item for block in blocks(document, "conclusions", Bullets) for item in block.items]
    assert "the seeds on which an arm of these diverged (1, 4)" in said[1]
    assert said[2].startswith("“λ = 1e-2” and “λ = 0” cannot be compared: there is no seed so far")
    assert not any("yet" in sentence for sentence in said)


def test_a_choice_of_the_baseline_says_whose_value_it_is(made_up, tmp_path):
    """The baseline of a choice may carry a remedy, so it is not called none."""
    document, context = document_of(made_up, tmp_path / "f")
    choice = next(
        text
        for text in (b.text for b in blocks(document, "choice", Paragraph))
        if "chooses" in text
    )
    gain = context.words("choice.gain", baseline="λ = 0")
    assert (gain in choice) == ("validation chooses λ = 0 " in choice)
    assert "λ = 0" in gain


def claimed(made_up, tmp_path, **claim):
    study = Study.of_folder(made_up)
    published = {"source": "somebody", "claims": [{"text": "So it is.", **claim}]}
    changed = Study.model_validate({**study.model_dump(mode="json"), "published": published})
    context = context_of(made_up, tmp_path)
    (told,) = claim_sentences(context, changed.published, make_choices(context.results))
    return told


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ({"arm": "full", "low": 0.0}, "holds here"),
        ({"arm": "full", "low": 1.1}, "does not hold here"),
        ({"arm": "wd1e-3", "than": "wd0", "low": -1.0}, "holds here"),
        ({"arm": "wd1e-3", "than": "wd0", "low": 0.5}, "does not hold here"),
        ({"arm": "wd1e-3", "than": "wd0", "low": 0.0}, "cannot be told here"),
        ({"arm": "wd1e-3", "than": "wd0", "low": -0.001, "high": 0.001}, "cannot be told here"),
        ({"selection": "decay", "low": -1.0}, "holds here"),
        ({"selection": "decay", "low": 0.5}, "does not hold here"),
    ],
)
def test_a_claim_is_held_against_the_interval(made_up, tmp_path, claim, said):
    told = claimed(made_up, tmp_path, metric="accuracy", **claim)
    assert f"“So it is.” — {said}: " in told
    assert "[" in told


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ({"arm": "full"}, "there is no seed so far on which none of its runs has diverged"),
        ({"arm": "wd1e-3", "than": "wd0"}, "there is no seed so far on which none of its runs has"),
        ({"selection": "decay"}, "a run of every value that could be chosen has diverged"),
    ],
)
def test_a_claim_about_what_diverged_is_not_waited_for(study, tmp_path, claim, why):
    out = write_study(tmp_path / "out", study, diverge=lambda run: True)
    told = claimed(out, tmp_path, metric="accuracy", low=0.0, **claim)
    assert f"cannot be told here: {why}" in told


def test_claims_and_published_figures_say_which_runs_are_lost(study, tmp_path):
    out = write_study(
        tmp_path / "out",
        study,
        diverge=lambda run: "wd1e-3" in run.arms and run.recipe.seed in (1, 4),
    )
    lost = "; without the seeds on which a run diverged (1, 4)"
    about = {"metric": "accuracy", "low": 0.0}
    assert lost in claimed(out, tmp_path, arm="wd1e-3", **about)
    assert lost in claimed(out, tmp_path, arm="wd0", than="wd1e-3", **about)
    assert "diverged" not in claimed(out, tmp_path, arm="wd0", **about)
    figures = [{"arm": arm, "metric": "accuracy", "value": 0.5} for arm in ("wd0", "wd1e-3")]
    published = Published.model_validate({"source": "somebody", "figures": figures})
    section = published_section(context_of(out, tmp_path), published, [])
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert [row[-1] for row in table.rows] == ["6", "4 of 6"]


def test_what_is_the_same_on_all_seeds_holds_no_claim():
    claim = Claim(text="So it is.", arm="full", metric="accuracy", low=0.5)
    luck, seen = mean_interval([0.6, 0.6]), mean_interval([0.6, 0.601])
    assert _holds(luck, claim, "accuracy", difference=False) is None
    assert _holds(seen, claim, "accuracy", difference=False) is True


def test_one_seed_holds_no_claim(study, tmp_path):
    out = write_study(tmp_path / "out", study.override(seeds=1))
    told = claimed(out, tmp_path, arm="full", metric="accuracy", low=0.0)
    assert "cannot be told here: measured" in told


@pytest.mark.parametrize(
    ("seeds", "gap", "value", "said"),
    [
        (1, 2.0, 0.0, "cannot be told here: validation chose 1e-3 (Decay), by less than its seeds"),
        (6, 0.0, 0.0, "cannot be told here: validation chose"),
        (6, 0.0, 1e-3, "cannot be told here: validation chose"),
        (6, 2.0, 0.0, "does not hold here: validation chose 1e-3 (Decay)"),
        (6, 2.0, 1e-3, "holds here: validation chose 1e-3 (Decay)"),
        (6, 2.0, 0.5, "cannot be told here: validation chose 1e-3 (Decay), and 0.5 was not tried"),
    ],
)
def test_a_claim_that_a_value_is_the_best_wants_seeds_that_tell(
    study, tmp_path, seeds, gap, value, said
):
    def strength(run):
        return 1.5 + gap * (run.recipe.weight_decay == 1e-3)

    out = write_study(tmp_path / "out", study.override(seeds=seeds), strength=strength)
    assert f" — {said}" in claimed(out, tmp_path, selection="decay", value=value)


def test_samples_are_captioned_as_what_they_are(whole):
    (samples,) = [p for p in blocks(whole, "data", Picture) if p.name == "samples"]
    assert samples.caption.startswith("Training images of each class in each training set.")


def test_the_same_figure_on_all_seeds_holds_no_claim_even_if_it_is_0():
    claim = Claim(text="So it is.", arm="full", metric="accuracy", low=0.5)
    nothing = mean_interval([0.0, 0.0])
    assert _holds(nothing, claim, "accuracy", difference=False) is None
    # Two arms that do the same on every seed do not differ by half.
    assert _holds(nothing, claim, "accuracy", difference=True) is False


@pytest.mark.parametrize(
    "claim", [{"arm": "full"}, {"arm": "wd0", "than": "full"}], ids=["figure", "difference"]
)
def test_a_claim_about_a_figure_that_is_not_defined_says_so(made_up, tmp_path, claim):
    told = claimed(made_up, tmp_path, metric="minority_accuracy", low=0.1, **claim)
    assert "cannot be told here: minority accuracy is not defined for these runs" in told


def test_a_choice_by_a_figure_that_is_not_defined_says_so(study, tmp_path):
    changed = study.to_toml().replace('metric = "balanced_accuracy"\nvalidation',
                                      'metric = "many_accuracy"\nvalidation')  # fmt: skip
    changed = changed.replace('title = { en = "Decay" }', "")
    out = write_study(tmp_path / "out", Study.from_toml(changed, "s.toml"))
    for path in (out / "runs").glob("*/evaluation.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"many_accuracy": None}))
    context = context_of(out, tmp_path)
    (chosen,) = make_choices(context.results)
    said = choice_sentence(context, chosen)
    assert said.endswith(": nothing can be chosen by many-shot accuracy, which on no seed is "
                         "defined for every value.")  # fmt: skip


def test_a_choice_without_a_title_goes_by_its_name(made_up, tmp_path):
    context = context_of(made_up, tmp_path)
    (chosen,) = make_choices(context.results)
    untitled = replace(chosen, selection=chosen.selection.model_copy(update={"title": {}}))
    assert choice_sentence(context, untitled).startswith("decay: validation chooses")


def test_two_training_sets_of_one_label_are_two(tmp_path):
    text = 'name = "two"\nseeds = 1\nrecipe.epochs = 1\n'
    for name, classes in (("a", [0, 2, 5, 9]), ("b", [0, 3, 6, 9])):
        text += f'[[arms]]\nname = "{name}"\n'
        text += f'recipe.skew = {{ profile = "step", classes = {classes}, keep = 0.1 }}\n'
    out = write_study(tmp_path / "out", Study.from_toml(text, "two.toml"))
    with styled():
        section = data_section(context_of(out, tmp_path))
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [row[0] for row in table.rows] == [
        "synthetic 0 … synthetic 9 (4): 10 % kept (step-0_2_5_9-keep0.1)",
        "synthetic 0 … synthetic 9 (4): 10 % kept (step-0_3_6_9-keep0.1)",
    ]


def test_a_run_that_serves_two_arms_is_one(tmp_path):
    text = 'name = "two"\nseeds = 2\nrecipe.epochs = 1\n' + "".join(
        f'[[arms]]\nname = "{name}"\n' for name in ("a", "same")
    )
    out = write_study(
        tmp_path / "out", Study.from_toml(text, "two.toml"),
        leave_out=lambda run: run.recipe.seed == 1,
    )  # fmt: skip
    summary, partial = document_of(out, tmp_path / "figures")[0].lead
    assert summary.text.startswith("1 runs on ")
    assert "1 of 2 runs are not over yet" in partial.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_arms_of_other_networks_or_training_sets_are_not_said_to_share_weights(
    made_up, tmp_path, language
):
    document, context = document_of(made_up, tmp_path, language)
    (bullets,) = blocks(document, "method", Bullets)
    assert context.words("method.alike") in bullets.items[0]
    assert context.words("method.unlike") in bullets.items[0]
    same = {n: a for n, a in context.results.arms.items() if n != "full"}
    context.results = replace(context.results, arms=same)
    assert context.words("method.unlike") not in method_section(context).blocks[0].items[0]


def test_what_so_many_seeds_can_show_is_told_of_fewest_and_most(study, tmp_path):
    def lags(run):
        return run.recipe.weight_decay == 1e-2 and run.recipe.seed > 2

    document, _ = document_of(write_study(tmp_path / "o", study, leave_out=lags), tmp_path / "f")
    (note,) = blocks(document, "conclusions", Paragraph)
    assert "over 3–6 seeds each" in note.text
    assert "p = 0.25 with 3 seeds and p = 0.031 with 6 seeds" in note.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_half_a_remedy_is_told(tmp_path, language):
    text = """
name = "cut"
seeds = 2
recipe.epochs = 2
recipe.max_steps = 50
[[arms]]
name = "{remedy}"
grid = { remedy = ["none", "crt"] }
"""
    out = write_study(tmp_path / "a", Study.from_toml(text, "cut.toml"))
    document, context = document_of(out, tmp_path / "f", language)
    (note,) = blocks(document, "results", Paragraph)
    assert note.text == context.words(
        "results.cut_short", arm="crt", limit="50", count=2, runs=2, stage="features"
    )
    whole = Study.from_toml(text.replace("recipe.max_steps = 50", ""), "whole.toml")
    document, _ = document_of(write_study(tmp_path / "b", whole), tmp_path / "g", language)
    assert blocks(document, "results", Paragraph) == []
