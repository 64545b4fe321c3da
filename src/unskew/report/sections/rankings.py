"""Treatments ranked over blocks: a critical-difference diagram, a table, and what they show."""

from __future__ import annotations

import math

from unskew.evaluation.ranks import FEWEST_BLOCKS, LEVEL, Ranks
from unskew.report.document import Block, Heading, Paragraph, Section, Table
from unskew.report.figures.ranks import rank_diagram
from unskew.report.numbers import bound_phrase, p_phrase, share
from unskew.report.page import Page
from unskew.report.ranked import Ranked

PLACES = 3
"""That the sentence on a ranking names."""


def rankings_section(page: Page, ranked: list[Ranked]) -> Section:
    """Every ranking of the study."""
    blocks: list[Block] = []
    for number, found in enumerate(ranked, 1):
        blocks.append(Heading(ranking_title(page, found)))
        blocks += ranking_blocks(page, f"ranks-{number}", found)
    return Section(page.words("section.rankings"), tuple(blocks), "rankings")


def ranking_blocks(page: Page, figure: str, found: Ranked) -> list[Block]:
    """What a ranking shows in words, as a diagram and as a table."""
    words, blocks = page.words, list[Block]()
    blocks.append(Paragraph(ranking_sentence(page, found)))
    if found.ranks is not None:
        blocks.append(_diagram(page, figure, found, found.ranks))
        blocks.append(_table(page, found, found.ranks))
    between = words("words.between_items")
    lacking = [name for name in found.left_out if name not in found.diverged]
    for key, left_out in (("ranking.left_out", lacking), ("ranking.diverged", found.diverged)):
        if left_out:
            listed = between.join(page.text(found.treatments[name]) for name in left_out)
            blocks.append(Paragraph(words(key, treatments=listed), note=True))
    for key, without in (("ranking.undefined", found.undefined), ("ranking.unlike", found.unlike)):
        if without:
            listed, metric = between.join(map(page.text, without)), words.metric(found.metric)
            blocks.append(Paragraph(words(key, metric=metric, blocks=listed), note=True))
    return blocks


def ranking_title(page: Page, found: Ranked) -> str:
    """The study's title, or else what is ranked by what."""
    metric = page.words.metric(found.metric)
    return page.text(found.title) or page.words("ranking.title", metric=metric)


def ranking_sentence(page: Page, found: Ranked) -> str:
    """The first ranks, how they were judged, and what that shows or why it can show nothing."""
    words, ranks = page.words, found.ranks
    if ranks is None:
        return words("ranking.pending" if found.waiting else "ranking.nothing")
    leaders = [
        words("ranking.place", treatment=page.text(found.treatments[name]), rank=f"{mean:.2f}")
        for name, mean in _leading(ranks)
    ]
    first = words(
        "ranking.first",
        count=len(ranks.means),
        blocks=ranks.blocks,
        leaders=words("words.between_items").join(leaders),
    )
    return words.sentences(first, *_judged(page, found, ranks))


def _leading(ranks: Ranks) -> list[tuple[str, float]]:
    """The first three and whoever shares the third's mean rank."""
    means = list(ranks.means.items())
    _, last = means[:PLACES][-1]
    return [(name, mean) for name, mean in means if mean <= last or math.isclose(mean, last)]


def _judged(page: Page, found: Ranked, ranks: Ranks) -> list[str]:
    words, pairs = page.words, math.comb(len(ranks.means), 2)
    alone = bound_phrase(2 / 2**ranks.blocks)
    if ranks.method == "none":
        return [words("ranking.too_few", blocks=ranks.blocks, alone=alone, fewest=FEWEST_BLOCKS)]
    if ranks.friedman is None:
        (pair, p), = ranks.p_values.items()  # fmt: skip
        first, second = (page.text(found.treatments[name]) for name in pair)
        key = "ranking.pair_told" if ranks.told else "ranking.pair_open"
        pair_judged = words(key, first=first, second=second, p=p_phrase(p), smallest=alone)
        return [pair_judged, *_other_way(page, found, ranks)]
    if ranks.method == "wilcoxon":
        how = words("ranking.by_wilcoxon", pairs=pairs, smallest=bound_phrase(ranks.smallest_p))
    else:
        needed = math.ceil(math.log2(2 * pairs / LEVEL))
        how = words("ranking.by_ranks", pairs=pairs, blocks=ranks.blocks, needed=needed)
    friedman = p_phrase(ranks.friedman)
    if ranks.friedman > LEVEL:
        return [how, words("ranking.alike", friedman=friedman)]
    best = next(iter(ranks.means))
    behind = sum(first == best for first, _ in ranks.told)
    shown = words(
        "ranking.shown",
        friedman=friedman,
        best=page.text(found.treatments[best]),
        behind=behind,
        others=len(ranks.means) - 1,
    )
    return [how, shown, *_other_way(page, found, ranks)]


def _other_way(page: Page, found: Ranked, ranks: Ranks) -> list[str]:
    """Pairs of which the better one, by the test that tells them apart, does not rank before the
    other: they would be taken for the reverse of what they are.
    """
    place = {name: number for number, name in enumerate(ranks.means)}
    return [
        page.words(
            "ranking.other_way",
            winner=page.text(found.treatments[winner]),
            loser=page.text(found.treatments[loser]),
        )
        for winner, loser in ranks.told
        if place[winner] > place[loser]
    ]


def _diagram(page: Page, figure: str, found: Ranked, ranks: Ranks) -> Block:
    words = page.words
    labels = {name: page.text(found.treatments[name]) for name in ranks.means}
    critical = ""
    if ranks.critical is not None:
        critical = words("ranking.critical", value=f"{ranks.critical:.2f}")
    caption = words(
        "ranking.figure_caption",
        metric=words.metric(found.metric),
        blocks=words("words.between_items").join(page.text(b) for b in found.blocks),
    )
    bars = "ranking.bars" if ranks.cliques else "ranking.no_bars"
    summary = "; ".join(f"{labels[name]} {mean:.2f}" for name, mean in ranks.means.items())
    return page.draw(
        figure,
        rank_diagram(ranks, labels, critical),
        words.sentences(
            caption,
            words("ranking.one_set" if found.one_set else "ranking.several_sets"),
            words(bars) if ranks.method != "none" else "",
        ),
        words("ranking.figure_alt", summary=summary),
    )


def _table(page: Page, found: Ranked, ranks: Ranks) -> Table:
    words = page.words
    rows = [
        (page.text(found.treatments[name]), *map(share, found.figures[name]), f"{mean:.2f}")
        for name, mean in ranks.means.items()
    ]
    header = (
        words("ranking.treatment"),
        *(page.text(block) for block in found.blocks),
        words("ranking.mean_rank"),
    )
    seeds = words.seeds(*found.seeds)
    caption = words("ranking.caption", metric=words.metric(found.metric), seeds=seeds)
    return Table(header, tuple(rows), caption)
