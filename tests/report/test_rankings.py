"""Rankings: the diagram draws the ranks, and the words say what so many blocks can show."""

from dataclasses import replace

import pytest

from tests.report.synthetic import write_study
from unskew.evaluation.ranks import Ranks, rank
from unskew.report.catalogue import Words
from unskew.report.compose import compose
from unskew.report.context import Context
from unskew.report.document import Bullets, Heading, Paragraph, Picture, Table
from unskew.report.figures.ranks import rank_diagram
from unskew.report.figures.style import styled
from unskew.report.ranked import rank_all
from unskew.report.sections.rankings import ranking_sentence, rankings_section
from unskew.study.results import load_results
from unskew.study.spec import Study

pytestmark = pytest.mark.usefixtures("undrawn")

TEXT = """
name = "ranked"
seeds = 2
names = { none = "no remedy" }
recipe.epochs = 1
[[arms]]
name = "{learning_rate}-{remedy}"
grid = { learning_rate = RATES, remedy = ["none", "focal", "drw", "mixup"] }
[[rankings]]
title = "All rates"
metric = "METRIC"
grid = { learning_rate = RATES }
blocks = [{ arms = "{learning_rate}-*", label = "rate {learning_rate}" }]
"""
STRENGTH = {"none": 1.0, "focal": 1.6, "drw": 2.4, "mixup": 2.41}


def study(blocks, metric="accuracy"):
    rates = str([round(0.1 * (k + 1), 1) for k in range(blocks)])
    return Study.from_toml(TEXT.replace("RATES", rates).replace("METRIC", metric), "ranked.toml")


def context_of(tmp_path, found, **how):
    out = write_study(
        tmp_path / "out", found, strength=lambda run: STRENGTH[run.recipe.remedy], **how
    )
    return Context(Words("en"), tmp_path / "figures", load_results(out))


def blocks_of(context, kind):
    with styled():
        section = rankings_section(context, rank_all(context.results))
    return [block for block in section.blocks if isinstance(block, kind)]


def test_two_blocks_are_ranked_and_not_tested(tmp_path):
    context = context_of(tmp_path, study(2))
    (paragraph,), (table,) = blocks_of(context, Paragraph), blocks_of(context, Table)
    assert paragraph.text.startswith("4 treatments over 2 blocks")
    assert "With 2 blocks no test is made" in paragraph.text
    assert "cannot fall below p = 0.50" in paragraph.text
    assert table.header[1:3] == ("rate 0.1", "rate 0.2")
    assert [row[0] for row in table.rows[2:]] == ["focal", "no remedy"]
    (picture,) = blocks_of(context, Picture)
    assert "Bars" not in picture.caption


def test_enough_blocks_say_who_is_told_apart_in_conclusions_too(tmp_path):
    context = context_of(tmp_path, study(6))
    (found,) = rank_all(context.results)
    assert found.ranks.method == "ranks"
    said = ranking_sentence(context, found)
    assert "would take 8 blocks to show anything" in said  # 6 pairs · 2 / 2^8 < 5 %
    told = [
        n for n in found.figures if not any(n in c and "mixup" in c for c in found.ranks.cliques)
    ]
    assert "none" in told
    assert f"{len(set(told) - {'mixup', 'drw'})} of the other 3 are told apart" in said
    document = compose(context)
    conclusions = next(s for s in document.sections if s.anchor == "conclusions")
    assert Heading("All rates") in conclusions.blocks
    assert said in [i for b in conclusions.blocks if isinstance(b, Bullets) for i in b.items]
    chinese = Context(Words("zh"), tmp_path / "figures", context.results)
    assert "Nemenyi" in ranking_sentence(chinese, found)


def test_who_shares_the_third_place_is_named_as_well(tmp_path):
    context = context_of(tmp_path, study(2))
    (found,) = rank_all(context.results)
    for places, named in (
        ([1.0, 2.0, 3.0, 4.0], 3),
        ([1.0, 2.0, 3.5, 3.5], 4),
        ([1.5, 1.5, 3.0, 4.0], 3),
    ):
        means = dict(zip(found.ranks.means, places, strict=True))
        tied = replace(found, ranks=replace(found.ranks, means=means))
        said = ranking_sentence(context, tied)
        shown = [f"{context.text(found.treatments[n])} ({mean:.2f})" for n, mean in means.items()]
        assert [place in said for place in shown] == [True] * named + [False] * (4 - named)


def test_eight_blocks_are_judged_by_wilcoxon(tmp_path):
    context = context_of(tmp_path, study(8))
    (found,) = rank_all(context.results)
    said = ranking_sentence(context, found)
    assert "Pairs are judged by Wilcoxon’s signed-rank test" in said
    assert "No p can be below p = 0.047" in said
    assert "critical" not in said


@pytest.mark.parametrize(("strong", "says"), [(2.4, "tells “drw” from"), (1.0, "no evidence that")])
def test_two_treatments_are_judged_as_a_pair(tmp_path, strong, says):
    text = TEXT.replace('"focal", "drw", "mixup"', '"drw"')
    text = text.replace("RATES", str([0.1 * k for k in range(1, 8)])).replace("METRIC", "accuracy")
    out = write_study(
        tmp_path / "out",
        Study.from_toml(text, "pair.toml"),
        strength=lambda run: strong if run.recipe.remedy == "drw" else 1.0,
    )
    context = Context(Words("en"), tmp_path / "figures", load_results(out))
    (found,) = rank_all(context.results)
    said = ranking_sentence(context, found)
    assert says in said
    assert "Friedman" not in said
    (picture,) = blocks_of(context, Picture)
    assert ("there is no bar" in picture.caption) == (strong == 2.4)
    chinese = Context(Words("zh"), tmp_path / "figures", context.results)
    assert "Wilcoxon" in ranking_sentence(chinese, found)


def by_hand(context, means, told, p_values, friedman):
    ranks = Ranks(dict(means), 8, "wilcoxon", 0.01, friedman, None, (), tuple(told), dict(p_values))
    (found,) = rank_all(context.results)
    return replace(found, treatments={n: {"en": n.upper()} for n in means}, ranks=ranks)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_beats_a_better_rank_is_told_and_not_counted_behind_it(tmp_path, language):
    """A test by sizes may speak for one that is a little worse in most blocks."""
    context = context_of(tmp_path, study(2))
    context.words = words = Words(language)
    means = {"a": 1.5, "b": 1.9, "c": 2.6}
    ps = {("b", "a"): 0.01, ("a", "c"): 0.02, ("b", "c"): 0.03}
    said = ranking_sentence(context, by_hand(context, means, ps, ps, 0.001))
    shown = words("ranking.shown", friedman="p = 0.001", best="A", behind=1, others=2)
    assert said.endswith(words.sentences(shown, words("ranking.other_way", winner="B", loser="A")))
    if language == "en":
        assert "1 of the other 2 are told apart from “A”, the first, as worse." in said
        assert "“B” is told apart from “A” the other way round: its mean rank is no better" in said
    # Pairs in the order of the mean ranks, as all once were, say no more than before.
    ordered = [("a", "b"), ("a", "c")]
    plain = ranking_sentence(context, by_hand(context, means, ordered, {}, 0.001))
    assert plain.endswith(
        words("ranking.shown", friedman="p = 0.001", best="A", behind=2, others=2)
    )


@pytest.mark.parametrize("told", [True, False])
def test_a_pair_of_which_the_later_rank_is_better_is_told_so(tmp_path, told):
    context = context_of(tmp_path, study(2))
    pair = {("b", "a"): 0.01 if told else 0.2}
    said = ranking_sentence(
        context, by_hand(context, {"a": 1.3, "b": 1.7}, pair if told else (), pair, None)
    )
    assert ("tells “B” from “A”" in said) == told
    assert said.endswith("it is the better one.") == told


def test_a_lower_loss_ranks_first(tmp_path):
    (found,) = rank_all(context_of(tmp_path, study(2, "nll")).results)
    assert list(found.ranks.means)[-1] == "none"
    assert found.figures["none"][0] > found.figures["drw"][0]


def test_what_is_not_over_is_left_out_by_name_and_blocks_wait(tmp_path):
    def waits(run):
        rate, remedy = run.recipe.learning_rate, run.recipe.remedy
        return rate == 0.3 or (rate == 0.2 and remedy == "none")

    context = context_of(tmp_path, study(3), leave_out=waits)
    (found,) = rank_all(context.results)
    assert [label["en"] for label in found.blocks] == ["rate 0.1", "rate 0.2"]
    assert found.left_out == ["none"]
    note = blocks_of(context, Paragraph)[-1]
    assert note.note
    assert note.text.endswith("no remedy.")


def test_before_two_blocks_have_begun_there_is_no_diagram(tmp_path):
    context = context_of(tmp_path, study(2), leave_out=lambda run: run.recipe.learning_rate == 0.2)
    assert not blocks_of(context, Picture)
    assert blocks_of(context, Paragraph)[0].text.startswith("Too few runs")


@pytest.fixture
def ranks():
    figures = {f"t{k}": [k + 0.1 * block for block in range(6)] for k in range(9)}
    return rank(figures)


def test_the_diagram_names_every_treatment_at_its_rank(ranks):
    with styled():
        figure = rank_diagram(ranks, {n: n.upper() for n in ranks.means}, "critical: 1")
    ax = figure.axes[0]
    texts = {text.get_text() for text in ax.texts}
    assert {f"T{8 - k} ({k + 1:.2f})" for k in range(9)} <= texts
    assert "critical: 1" in texts
    bars = [line for line in ax.lines if line.get_linewidth() == 3.5]
    ends = [tuple(line.get_xdata()) for line in bars]
    assert len(bars) == len(ranks.cliques)
    assert ends[0] == pytest.approx((1 - 0.04, len(ranks.cliques[0]) + 0.04))
    (length,) = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 2.2]
    assert length[1] - length[0] == pytest.approx(ranks.critical)


def test_no_label_covers_another_with_42_treatments():
    means = {f"a treatment with a longish name {k}": 1 + k * 0.97 for k in range(42)}
    with styled():
        figure = rank_diagram(
            Ranks(means, 6, "ranks", 1.0, 0.5, 26.0, (tuple(means),)), {n: n for n in means}, "cd"
        )
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    covered = [
        (a, b) for k, a in enumerate(boxes) for b in boxes[:k]
        if min(a.x1, b.x1) > max(a.x0, b.x0) and min(a.y1, b.y1) > max(a.y0, b.y0) + 1
    ]  # fmt: skip
    assert not covered
    width = figure.bbox.width
    assert all(box.x0 >= 0 and box.x1 <= width for box in boxes)


def test_what_has_diverged_is_not_ranked_by_its_survivors(tmp_path):
    def explodes(run):
        recipe = run.recipe
        return recipe.remedy == "mixup" and recipe.learning_rate == 0.1 and recipe.seed == 1

    context = context_of(tmp_path, study(2), diverge=explodes)
    (found,) = rank_all(context.results)
    assert found.left_out == found.diverged == ["mixup"]
    assert list(found.ranks.means) == ["drw", "focal", "none"]
    assert found.seeds == [2, 2]
    assert blocks_of(context, Paragraph)[-1].text.startswith("Not ranked, because a run of theirs")


def test_a_block_is_ranked_over_the_seeds_that_all_have_there(tmp_path):
    def lags(run):
        return run.recipe.remedy == "none" and run.recipe.seed == 1

    context = context_of(tmp_path, study(2), leave_out=lags)
    (found,) = rank_all(context.results)
    assert found.seeds == [1, 1]
    assert found.figures["drw"] == [
        context.results.arms[f"{rate}-drw"].metric("accuracy")[0] for rate in ("0.1", "0.2")
    ]
    (table,) = blocks_of(context, Table)
    assert "all of them have there (1 seed)" in table.caption


@pytest.mark.parametrize("language", ["en", "zh"])
def test_blocks_without_the_figure_are_not_waited_for(tmp_path, language):
    context = context_of(tmp_path, study(2, "few_accuracy"))
    words = context.words = Words(language)
    (found,) = rank_all(context.results)
    assert (found.blocks, found.waiting) == ([], False)
    first, note = blocks_of(context, Paragraph)
    assert first.text == words("ranking.nothing")
    metric, blocks = words.metric("few_accuracy"), words("words.between_items")
    listed = blocks.join(["rate 0.1", "rate 0.2"])
    assert note.text == words("ranking.undefined", metric=metric, blocks=listed)
