"""Paired differences: a forest and a table for each comparison."""

from __future__ import annotations

from unskew.report.compared import Compared
from unskew.report.context import Context
from unskew.report.document import Block, Heading, Section, Table
from unskew.report.figures.differences import forest
from unskew.report.figures.style import wrapped
from unskew.report.numbers import is_share, p_phrase, p_value, points, unsigned
from unskew.study.parts import Comparison


def comparisons_section(
    context: Context, compared: list[tuple[Comparison, list[Compared]]]
) -> Section:
    """Every comparison of the study."""
    blocks: list[Block] = []
    for number, (comparison, pairs) in enumerate(compared, 1):
        shown = [pair for pair in pairs if pair.paired]
        if shown:
            title = context.text(comparison.title)
            blocks += [Heading(title)] if title else []
            name = f"comparison-{number}"
            blocks.append(comparison_figure(context, name, comparison, shown))
            blocks.append(comparison_table(context, comparison, shown))
    return Section(context.words("section.comparisons"), tuple(blocks), "comparisons")


def pair_label(context: Context, pair: Compared) -> str:
    """ "candidate − baseline" """
    return f"{context.label(pair.candidate)} − {context.label(pair.baseline)}"


def comparison_figure(
    context: Context, name: str, comparison: Comparison, pairs: list[Compared]
) -> Block:
    """Forest of the pairs' differences; every pair has a shared seed."""
    words = context.words
    metric = words.metric(comparison.metric)
    differences = {
        _wrapped(context, pair): (pair.paired.difference, list(pair.by_seed))
        for pair in pairs
        if pair.paired
    }
    summary = "; ".join(
        f"{pair_label(context, pair)}: {points(pair.paired.difference.mean, comparison.metric)}"
        for pair in pairs
        if pair.paired
    )
    scale = 100 if is_share(comparison.metric) else 1
    axis = words("comparison.axis", metric=metric) if scale == 100 else metric
    return context.draw(
        name,
        forest(differences, axis, scale),
        words(
            "comparison.figure_caption",
            metric=metric,
            seeds=words.seeds(*(len(pair.by_seed) for pair in pairs)),
        ),
        words("comparison.figure_alt", metric=metric, summary=summary),
    )


def _wrapped(context: Context, pair: Compared) -> str:
    lines = context.label(pair.candidate), f"− {context.label(pair.baseline)}"
    return "\n".join(wrapped(line, 40) for line in lines)


def comparison_table(context: Context, comparison: Comparison, pairs: list[Compared]) -> Table:
    """The pairs' differences with their intervals and tests."""
    words, rows = context.words, []
    for pair in pairs:
        assert pair.paired is not None
        found, metric = pair.paired, comparison.metric
        low, high = found.difference.low, found.difference.high
        interval = "–"
        if low is not None and high is not None:
            interval = f"{points(low, metric)} … {points(high, metric)}"
        bootstrap = "–"
        if found.bootstrap is not None:
            bootstrap = " … ".join(points(end, metric) for end in found.bootstrap)
        detectable = "–" if found.detectable is None else unsigned(found.detectable, metric)
        rows.append(
            (
                pair_label(context, pair),
                points(found.difference.mean, metric),
                interval,
                bootstrap,
                p_value(found.wilcoxon),
                p_value(pair.adjusted),
                detectable,
            )
        )
    key = "comparison.header" if is_share(comparison.metric) else "comparison.header_plain"
    caption = words(
        "comparison.caption",
        metric=words.metric(comparison.metric),
        seeds=words.seeds(*(len(pair.by_seed) for pair in pairs)),
    )
    family = max(pair.family for pair in pairs)
    if family:
        fewest = min(len(pair.by_seed) for pair in pairs if pair.family)
        smallest = p_phrase(2 / 2**fewest)
        tests = words("comparison.tests", family=family, smallest=smallest)
        caption = words.sentences(caption, tests)
    return Table(tuple(words(key).split("|")), tuple(rows), caption)
