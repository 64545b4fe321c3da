"""Treatments ranked over blocks: a critical-difference diagram, a table, and what they show."""

from __future__ import annotations

import math

from unskew.evaluation.ranks import FEWEST_BLOCKS, LEVEL, Ranks
from unskew.report.context import Context
from unskew.report.document import Block, Heading, Paragraph, Section, Table
from unskew.report.figures.ranks import rank_diagram
from unskew.report.numbers import p_phrase, share
from unskew.report.ranked import Ranked
from unskew.study.parts import RankedBlock
from unskew.study.text import fill


def rankings_section(context: Context, ranked: list[Ranked]) -> Section:
    """Every ranking of the study."""
    words, blocks = context.words, list[Block]()
    for number, found in enumerate(ranked, 1):
        blocks.append(Heading(ranking_title(context, found)))
        blocks.append(Paragraph(ranking_sentence(context, found)))
        if found.ranks is not None:
            blocks.append(_diagram(context, number, found, found.ranks))
            blocks.append(_table(context, found, found.ranks))
        if found.left_out:
            names = words("words.between_items").join(treatment(context, found, name)
                                                      for name in found.left_out)  # fmt: skip
            blocks.append(Paragraph(words("ranking.left_out", treatments=names), note=True))
    return Section(words("section.rankings"), tuple(blocks), "rankings")


def ranking_title(context: Context, found: Ranked) -> str:
    """The study's title, or else what is ranked by what."""
    metric = context.words.metric(found.ranking.metric)
    return context.text(found.ranking.title) or context.words("ranking.title", metric=metric)


def treatment(context: Context, found: Ranked, name: str) -> str:
    """What a treatment is called."""
    values = {"treatment": context.results.study.names.get(name, name)}
    return fill(context.text(found.ranking.label), values)


def ranking_sentence(context: Context, found: Ranked) -> str:
    """The first ranks, how they were judged, and what that shows or why it can show nothing."""
    words, ranks = context.words, found.ranks
    if ranks is None:
        return words("ranking.pending")
    leaders = [
        words("ranking.place", treatment=treatment(context, found, name), rank=f"{mean:.2f}")
        for name, mean in list(ranks.means.items())[:3]
    ]
    first = words(
        "ranking.first",
        count=len(ranks.means),
        blocks=ranks.blocks,
        leaders=words("words.between_items").join(leaders),
    )
    return words.sentences(first, *_judged(context, found, ranks))


def _judged(context: Context, found: Ranked, ranks: Ranks) -> list[str]:
    words, pairs = context.words, math.comb(len(ranks.means), 2)
    alone = p_phrase(2 / 2**ranks.blocks)
    if ranks.friedman is None:
        return [words("ranking.too_few", blocks=ranks.blocks, alone=alone, fewest=FEWEST_BLOCKS)]
    if ranks.method == "wilcoxon":
        how = words("ranking.by_wilcoxon", pairs=pairs, smallest=p_phrase(ranks.smallest_p))
    else:
        needed = math.ceil(math.log2(2 * pairs / LEVEL))
        how = words("ranking.by_ranks", pairs=pairs, blocks=ranks.blocks, needed=needed)
    friedman = p_phrase(ranks.friedman)
    if ranks.friedman > LEVEL:
        return [how, words("ranking.alike", friedman=friedman)]
    best = next(iter(ranks.means))
    with_best = {name for clique in ranks.cliques if best in clique for name in clique}
    behind = len(ranks.means) - len(with_best | {best})
    shown = words(
        "ranking.shown",
        friedman=friedman,
        best=treatment(context, found, best),
        behind=behind,
        others=len(ranks.means) - 1,
    )
    return [how, shown]


def _diagram(context: Context, number: int, found: Ranked, ranks: Ranks) -> Block:
    words = context.words
    labels = {name: treatment(context, found, name) for name in ranks.means}
    critical = ""
    if ranks.critical is not None:
        critical = words("ranking.critical", value=f"{ranks.critical:.2f}")
    caption = words(
        "ranking.figure_caption",
        metric=words.metric(found.ranking.metric),
        blocks=words("words.between_items").join(_block(context, b) for b in found.blocks),
    )
    bars = "ranking.bars" if ranks.cliques else "ranking.no_bars"
    summary = "; ".join(f"{labels[name]} {mean:.2f}" for name, mean in ranks.means.items())
    return context.draw(
        f"ranks-{number}",
        rank_diagram(ranks, labels, critical),
        words.sentences(caption, words(bars) if ranks.friedman is not None else ""),
        words("ranking.figure_alt", summary=summary),
    )


def _block(context: Context, block: RankedBlock) -> str:
    return context.text(block.label) or block.arms


def _table(context: Context, found: Ranked, ranks: Ranks) -> Table:
    words = context.words
    rows = [
        (treatment(context, found, name), *map(share, found.figures[name]), f"{mean:.2f}")
        for name, mean in ranks.means.items()
    ]
    header = (
        words("ranking.treatment"),
        *(_block(context, block) for block in found.blocks),
        words("ranking.mean_rank"),
    )
    caption = words("ranking.caption", metric=words.metric(found.ranking.metric))
    return Table(header, tuple(rows), caption)
