"""How far results move by chance, and by which kind of it."""

from __future__ import annotations

from unskew.evaluation.conventions import CONFIDENCE
from unskew.report.context import Context
from unskew.report.document import Block, Heading, Paragraph, Section, Table
from unskew.report.figures.spread import spread_dots
from unskew.report.numbers import is_share, p_phrase, share, unsigned
from unskew.report.spreads import Spreading


def spreads_section(context: Context, spreads: list[Spreading]) -> Section:
    """A sentence, a figure and a table for every spread."""
    words, blocks = context.words, list[Block]()
    for number, found in enumerate(spreads, 1):
        blocks.append(Heading(spread_title(context, found)))
        blocks.append(Paragraph(spread_sentence(context, found)))
        if found.found is not None:
            blocks.append(Paragraph(words("spread.meaning", source=_source(context, found))))
            blocks.append(_dots(context, number, found))
            blocks.append(_table(context, found))
    return Section(words("section.spreads"), tuple(blocks), "spreads")


def spread_title(context: Context, found: Spreading) -> str:
    """The study's title, or else what all spreads are called."""
    return context.text(found.part.title) or context.words("section.spreads")


def spread_sentence(context: Context, found: Spreading) -> str:
    """Both components with their intervals, what is left, and whether the first is chance."""
    words, metric, parts = context.words, found.part.metric, found.found
    source = _source(context, found)
    if parts is None:
        return words(_why_none(found), source=source, metric=words.metric(metric))
    unit = "words.points" if is_share(metric) else "words.plain"

    def amount(value: float) -> str:
        return words(unit, value=unsigned(value, metric))

    measured = words(
        "spread.measured",
        metric=words.metric(metric),
        source=source,
        arms=len(found.part.arms),
        seeds=words.seeds(len(found.seeds)),
        own=amount(parts.rows),
        own_low=unsigned(parts.rows_low, metric),
        own_high=unsigned(parts.rows_high, metric),
        seed=amount(parts.columns),
        seed_low=unsigned(parts.columns_low, metric),
        seed_high=unsigned(parts.columns_high, metric),
        rest=amount(parts.rest),
    )
    if parts.rows_p is None:
        shown = "spread.untested"
    else:
        shown = "spread.shown" if parts.rows_p < 1 - CONFIDENCE else "spread.not_shown"
    told = words(shown, source=source, p=p_phrase(parts.rows_p))
    closed = parts.rest > 0 and 0 in (parts.rows_high, parts.columns_high)
    lost = ""
    if found.diverged:
        lost = words("spread.lost", seeds=", ".join(map(str, found.diverged)))
    return words.sentences(measured, told, words("spread.closed") if closed else "", lost)


def _why_none(found: Spreading) -> str:
    if found.unlike:
        return "spread.unlike"
    if found.undefined:
        return "spread.undefined"
    return "spread.diverged" if found.diverged else "spread.pending"


def _source(context: Context, found: Spreading) -> str:
    return context.text(found.part.source)


def _dots(context: Context, number: int, found: Spreading) -> Block:
    words, labels = context.words, [context.label(name) for name in found.part.arms]
    metric = words.metric(found.part.metric)
    means = found.figures.mean(axis=1)
    summary = "; ".join(f"{label} {share(m)}" for label, m in zip(labels, means, strict=True))
    return context.draw(
        f"spread-{number}",
        spread_dots(
            found.figures,
            labels,
            [words("spread.seed", seed=seed) for seed in found.seeds],
            metric=metric,
            mean_label=words("spread.mean"),
        ),
        words("spread.figure_caption", metric=metric),
        words("spread.figure_alt", metric=metric, summary=summary),
    )


def _table(context: Context, found: Spreading) -> Table:
    words = context.words
    rows = [
        (context.label(name), *map(share, values), share(values.mean()))
        for name, values in zip(found.part.arms, found.figures, strict=True)
    ]
    columns = found.figures.mean(axis=0)
    rows.append((words("spread.mean"), *map(share, columns), share(found.figures.mean())))
    header = ("", *(words("spread.seed", seed=s) for s in found.seeds), words("spread.mean"))
    caption = words("spread.caption", metric=words.metric(found.part.metric))
    return Table(header, tuple(rows), caption, sum_row=True)
