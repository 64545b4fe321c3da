"""Whether a gain is larger in some circumstances: differences of differences."""

from __future__ import annotations

from collections import Counter

from unskew.report.context import Context
from unskew.report.document import Block, Heading, Section
from unskew.report.interacting import Interacting
from unskew.report.numbers import is_share, p_phrase, points
from unskew.report.sections.comparisons import (
    constant_sentence,
    detectable_sentence,
    difference_forest,
    difference_table,
    lost_sentence,
)

OF_A_LOSS = (
    "column", "family", "measured", "larger", "smaller", "caption", "table_caption",
)  # fmt: skip
"""Sentences that read the wrong way round of a figure of which less is better."""

UNTESTED = ("constant", "single", "unlike", "undefined", "diverged", "missing")
"""Verdicts of `Interacting` that no test stands behind."""


def interactions_section(context: Context, families: list[list[Interacting]]) -> Section:
    """A forest and a table of every family that has a shared seed."""
    blocks: list[Block] = []
    for number, family in enumerate(families, 1):
        figures = _figures(context, number, family)
        blocks += [Heading(interaction_title(context, family)), *figures] if figures else []
    return Section(context.words("section.interactions"), tuple(blocks), "interactions")


def interaction_title(context: Context, family: list[Interacting]) -> str:
    """The study's title, or else what all interactions are called."""
    title = context.text(family[0].interaction.title)
    return title or context.words("section.interactions")


def family_sentence(context: Context, family: list[Interacting]) -> str:
    """How many gains of a family are larger in which circumstances."""
    words, part = context.words, family[0].interaction
    verdicts = Counter(found.verdict for found in family)
    return words(
        _key(family[0], "family"),
        metric=words.metric(part.metric),
        count=len(family),
        first=context.text(part.first.label),
        second=context.text(part.second.label),
        larger=verdicts["larger"],
        smaller=verdicts["smaller"],
        hints=verdicts["hint"],
        open=verdicts["none"],
        untested=sum(verdicts[name] for name in UNTESTED),
    )


def interaction_sentence(context: Context, found: Interacting) -> str:
    """Both gains, their difference, and what that shows."""
    words, part, pair = context.words, found.interaction, found.found
    label, metric = context.text(part.label), part.metric
    if pair.paired is None:
        metric_name = words.metric(metric)
        return words(f"interaction.{found.verdict}", label=label, metric=metric_name)
    unit = "words.points" if is_share(metric) else "words.plain"
    circumstances = {
        "first": context.text(part.first.label),
        "second": context.text(part.second.label),
    }
    gains = [words(unit, value=points(gain, metric)) for gain in pair.means]
    difference = words(unit, value=points(pair.paired.difference.mean, metric))
    measured = words(
        _key(found, "measured"),
        label=label,
        metric=words.metric(metric),
        gain_first=gains[0],
        gain_second=gains[1],
        difference=difference,
        **circumstances,
    )
    low, high = pair.paired.difference.low, pair.paired.difference.high
    if low is None or high is None:
        return words.sentences(measured, words("interaction.single"), lost_sentence(words, pair))
    chance = p_phrase(pair.adjusted)
    if pair.family > 1:
        chance = words("comparison.corrected", p=chance, family=pair.family)
    verdict = words(
        _key(found, found.verdict),
        **circumstances,
        low=points(low, metric),
        high=points(high, metric),
        seeds=words.seeds(len(pair.by_seed)),
        p=chance,
        detectable=detectable_sentence(words, pair, most=2.0),
    )
    return words.sentences(
        measured, verdict, constant_sentence(words, [pair]), lost_sentence(words, pair)
    )


def _figures(context: Context, number: int, family: list[Interacting]) -> list[Block]:
    words, part = context.words, family[0].interaction
    pairs = {context.text(f.interaction.label): f.found for f in family if f.found.paired}
    if not pairs:
        return []
    values = {
        "metric": words.metric(part.metric),
        "first": context.text(part.first.label),
        "second": context.text(part.second.label),
    }
    seeds = [len(pair.by_seed) for pair in pairs.values()]
    summary = "; ".join(
        f"{label}: {points(pair.paired.difference.mean, part.metric)}"
        for label, pair in pairs.items()
        if pair.paired
    )
    picture = context.draw(
        f"interaction-{number}",
        difference_forest(context, pairs),
        words.over(_key(family[0], "caption"), seeds, **values),
        words("comparison.figure_alt", metric=values["metric"], summary=summary),
    )
    caption = words(_key(family[0], "table_caption"), seeds=words.seeds(*seeds), **values)
    return [picture, difference_table(context, words(_key(family[0], "column")), pairs, caption)]


def _key(found: Interacting, name: str) -> str:
    """The sentence's key: what a loss gains is told in words of its own."""
    own = found.of_a_loss and name in OF_A_LOSS
    return f"interaction.{name}_loss" if own else f"interaction.{name}"
