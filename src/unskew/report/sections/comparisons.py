"""Paired differences: a forest and a table for each comparison."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.figure import Figure

from unskew.report.catalogue import Words
from unskew.report.compared import Compared
from unskew.report.context import Context
from unskew.report.document import Block, Heading, Section, Table
from unskew.report.figures.differences import forest
from unskew.report.figures.style import wrapped
from unskew.report.numbers import bound_phrase, is_share, p_value, points, unsigned
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


def detectable_sentence(words: Words, pair: Compared, most: float = 1.0) -> str:
    """How large a difference so many seeds of this spread would likely have shown.

    Parameters
    ----------
    most: that a difference of shares can be.
    """
    size = pair.paired.detectable if pair.paired else None
    if size is None:
        return ""
    if not size:
        return words("comparison.identical") if not any(pair.by_seed) else ""
    if is_share(pair.metric) and size > most:
        return words("comparison.unseen")
    unit = "words.points" if is_share(pair.metric) else "words.plain"
    key = "comparison.seen" if pair.family <= 1 else "comparison.seen_alone"
    return words(key, size=words(unit, value=unsigned(size, pair.metric)))


def constant_sentence(words: Words, pairs: Iterable[Compared]) -> str:
    """A warning where every seed gives a pair the same difference; empty where none does."""
    constant = any(pair.paired and pair.paired.is_constant for pair in pairs)
    return words("comparison.constant_meaning") if constant else ""


def lost_sentence(words: Words, pair: Compared) -> str:
    """Which seeds a pair is compared without, because a run diverged; empty where none did."""
    if not (pair.diverged and pair.paired):
        return ""
    return words("comparison.lost", seeds=", ".join(map(str, pair.diverged)))


def comparison_figure(
    context: Context, name: str, comparison: Comparison, pairs: list[Compared]
) -> Block:
    """Forest of the pairs' differences; every pair has a shared seed."""
    words, metric = context.words, context.words.metric(comparison.metric)
    seeds = [len(pair.by_seed) for pair in pairs]
    summary = "; ".join(
        f"{pair_label(context, pair)}: {points(pair.paired.difference.mean, comparison.metric)}"
        for pair in pairs
        if pair.paired
    )
    return context.draw(
        name,
        pair_forest(context, pairs),
        words.over("comparison.figure_caption", seeds, metric=metric),
        words("comparison.figure_alt", metric=metric, summary=summary),
    )


def difference_forest(context: Context, pairs: dict[str, Compared], baseline: str = "") -> Figure:
    """A row a pair, by its label; pairs without a shared seed are left out.

    Parameters
    ----------
    baseline: what all are compared with, for the axis; empty where labels say it.
    """
    words, metric = context.words, next(iter(pairs.values())).metric
    differences = {
        label: (pair.paired.difference, list(pair.by_seed))
        for label, pair in pairs.items()
        if pair.paired
    }
    scale, key = (100, "comparison.axis") if is_share(metric) else (1, "comparison.axis_plain")
    axis = words(key, metric=words.metric(metric))
    if baseline:
        axis = words("comparison.from", axis=axis, baseline=baseline)
    return forest(differences, axis, scale)


def pair_forest(context: Context, pairs: list[Compared]) -> Figure:
    """Where all have one baseline, it stands at the axis instead of in every label."""
    baselines = {pair.baseline for pair in pairs}
    if len(pairs) > 1 and len(baselines) == 1:
        labels = [wrapped(context.label(pair.candidate), 40) for pair in pairs]
        baseline = context.label(pairs[0].baseline)
    else:
        lines = [(context.label(p.candidate), f"− {context.label(p.baseline)}") for p in pairs]
        labels = ["\n".join(wrapped(line, 40) for line in pair) for pair in lines]
        baseline = ""
    return difference_forest(context, dict(zip(labels, pairs, strict=True)), baseline)


def comparison_table(context: Context, comparison: Comparison, pairs: list[Compared]) -> Table:
    """The pairs' differences with their intervals and tests."""
    words = context.words
    seeds = [len(pair.by_seed) for pair in pairs]
    caption = words.over("comparison.caption", seeds, metric=words.metric(comparison.metric))
    labelled = {pair_label(context, pair): pair for pair in pairs}
    return difference_table(context, words("comparison.pair"), labelled, caption)


def difference_table(
    context: Context, first: str, pairs: dict[str, Compared], caption: str
) -> Table:
    """A row a pair, by its label; pairs without a shared seed are left out.

    Parameters
    ----------
    first: header of the labels' column.
    caption: what goes before the words on the tests.
    """
    words = context.words
    shown = {label: pair for label, pair in pairs.items() if pair.paired}
    rows = tuple((label, *_figures(pair)) for label, pair in shown.items())
    share = is_share(next(iter(shown.values())).metric)
    header = words("comparison.header" if share else "comparison.header_plain").split("|")
    family = max(pair.family for pair in shown.values())
    if family:
        most = max(len(pair.by_seed) for pair in shown.values() if pair.family)
        smallest = bound_phrase(2 / 2**most)
        key = "comparison.tests" if family > 1 else "comparison.tests_single"
        tests = words(key, family=family, smallest=smallest)
        caption = words.sentences(caption, tests)
    caption = words.sentences(caption, constant_sentence(words, shown.values()))
    return Table((first, *header), rows, caption)


def _figures(pair: Compared) -> tuple[str, ...]:
    """The cells of a pair's row after its label."""
    assert pair.paired is not None
    found, metric = pair.paired, pair.metric
    low, high = found.difference.low, found.difference.high
    interval = bootstrap = detectable = "–"
    if low is not None and high is not None:
        interval = f"{points(low, metric)} … {points(high, metric)}"
    if found.bootstrap is not None:
        bootstrap = " … ".join(points(end, metric) for end in found.bootstrap)
    if found.detectable:
        detectable = unsigned(found.detectable, metric)
    return (
        points(found.difference.mean, metric),
        interval,
        bootstrap,
        p_value(found.wilcoxon),
        p_value(pair.adjusted),
        detectable,
    )
