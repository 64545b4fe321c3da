"""Conclusions: sentences written from the numbers, and nothing that they do not say."""

from __future__ import annotations

from unskew.report.compared import Compared
from unskew.report.context import Context
from unskew.report.document import Block, Bullets, Paragraph, Section
from unskew.report.numbers import p_value, points, unsigned
from unskew.report.sections.choice import Chosen, choice_sentence
from unskew.report.sections.published import claim_sentences
from unskew.study.spec import Comparison

SEEDS_FOR_RANKS = 6
"""With fewer, 2 / 2^n is above 5 % and no rank test over seeds can show anything."""


def conclusions_section(
    context: Context, compared: list[tuple[Comparison, list[Compared]]], choices: list[Chosen]
) -> Section:
    """A heading-like line for each comparison with a sentence for each of its pairs."""
    blocks: list[Block] = []
    for comparison, pairs in compared:
        title = context.text(comparison.title)
        if title:
            blocks.append(Paragraph(title))
        blocks.append(Bullets(tuple(sentence(context, comparison, pair) for pair in pairs)))
    if choices:
        blocks.append(Bullets(tuple(choice_sentence(context, chosen) for chosen in choices)))
    published = context.results.study.published
    if published and published.claims:
        blocks.append(Paragraph(context.words("section.published")))
        blocks.append(Bullets(tuple(claim_sentences(context, published, choices))))
    blocks += _on_seeds(context, compared)
    return Section(context.words("section.conclusions"), tuple(blocks), "conclusions")


def sentence(context: Context, comparison: Comparison, pair: Compared) -> str:
    """One pair's verdict with its numbers."""
    words, metric = context.words, comparison.metric
    names = {
        "candidate": context.label(pair.candidate),
        "baseline": context.label(pair.baseline),
    }
    if pair.paired is None:
        return words("comparison.missing", **names)
    found = pair.paired.difference
    signed = pair.verdict in ("none", "single")
    return words(
        f"comparison.{pair.verdict}",
        **names,
        metric=words.metric(metric),
        difference=points(found.mean, metric) if signed else unsigned(found.mean, metric),
        low=points(found.low, metric) if found.low is not None else "–",
        high=points(found.high, metric) if found.high is not None else "–",
        seeds=words.seeds(found.seeds),
        p=p_value(pair.adjusted),
        detectable=unsigned(pair.paired.detectable or 0.0, metric),
    )


def _on_seeds(
    context: Context, compared: list[tuple[Comparison, list[Compared]]]
) -> list[Block]:
    seeds = [len(p.by_seed) for _, pairs in compared for p in pairs if p.paired]
    if not seeds or min(seeds) >= SEEDS_FOR_RANKS:
        return []
    fewest = min(seeds)
    if fewest < 2:
        return [Paragraph(context.words("lead.one_seed"), note=True)]
    text = context.words("lead.few_seeds", seeds=context.words.seeds(fewest), smallest=p_value(2 / 2**fewest))
    return [Paragraph(text, note=True)]
