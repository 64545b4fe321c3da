"""Conclusions: sentences written from the numbers, and nothing that they do not say."""

from __future__ import annotations

from unskew.report.compared import Compared
from unskew.report.context import Context
from unskew.report.document import Block, Bullets, Heading, Paragraph, Section
from unskew.report.interacting import Interacting
from unskew.report.numbers import bound_phrase, is_share, p_phrase, points, share
from unskew.report.ranked import Ranked
from unskew.report.sections.choice import Chosen, choice_sentence
from unskew.report.sections.comparisons import (
    constant_sentence,
    detectable_sentence,
    lost_sentence,
)
from unskew.report.sections.interactions import (
    family_sentence,
    interaction_sentence,
    interaction_title,
)
from unskew.report.sections.published import claim_sentences, other_data
from unskew.report.sections.rankings import ranking_sentence, ranking_title
from unskew.report.sections.second_stage import Confirmed
from unskew.report.sections.spreads import spread_sentence, spread_title
from unskew.report.spreads import Spreading
from unskew.study.parts import Comparison

ENOUGH_FOR_RANKS = 6
"""With fewer seeds 2 / 2^n is above 5 % and no rank test over seeds can show anything."""

VERDICTS = (
    "better", "worse", "hint", "none", "constant", "single", "unlike", "undefined", "diverged",
    "missing",
)  # fmt: skip
"""Of `Compared`, in the order they are told."""

MOST_SENTENCES = 10
"""Pairs of one comparison that are told one by one."""
SEVERAL = 4
"""Pairs with one baseline that are told by their verdicts, where there are more in all."""


def conclusions_section(
    context: Context,
    compared: list[tuple[Comparison, list[Compared]]],
    interacting: list[list[Interacting]],
    ranked: list[Ranked],
    spreads: list[Spreading],
    choices: list[Chosen],
    confirmed: list[Confirmed],
) -> Section:
    """Each comparison with a sentence for each of its pairs, then rankings, spreads and the rest.

    Second stages come first: they are what the first stage was for.
    """
    words, blocks = context.words, list[Block]()
    for stage in confirmed:
        title = Heading(context.text(stage.comparison.title) or stage.second.stage.name)
        if any(pair.verdict != "missing" for pair in stage.pairs):
            blocks += [title, verdicts(context, stage.pairs)]
        elif not stage.pairs:
            blocks += [title, Bullets((words("second_stage.nothing"),))]
    for comparison, pairs in compared:
        blocks.append(Heading(context.text(comparison.title) or words("section.comparisons")))
        blocks.append(verdicts(context, pairs))
    for family in interacting:
        blocks.append(Heading(interaction_title(context, family)))
        first = [family_sentence(context, family)] if len(family) > 1 else []
        blocks.append(Bullets((*first, *(interaction_sentence(context, f) for f in family))))
    for found in ranked:
        blocks.append(Heading(ranking_title(context, found)))
        blocks.append(Bullets((ranking_sentence(context, found),)))
    for spread in spreads:
        blocks.append(Heading(spread_title(context, spread)))
        blocks.append(Bullets((spread_sentence(context, spread),)))
    if choices:
        blocks.append(Heading(words("section.choice")))
        blocks.append(Bullets(tuple(choice_sentence(context, chosen) for chosen in choices)))
    published = context.results.study.published
    if published and published.claims:
        blocks.append(Heading(words("section.claims")))
        blocks += other_data(context, published)
        blocks.append(Bullets(tuple(claim_sentences(context, published, choices))))
    if blocks:
        pairs = [pair for _, family in compared for pair in family]
        pairs += [pair for stage in confirmed for pair in stage.pairs]
        pairs += [found.found for family in interacting for found in family]
        blocks += _on_seeds(context, pairs)
    return Section(words("section.conclusions"), tuple(blocks), "conclusions")


def verdicts(context: Context, pairs: list[Compared]) -> Bullets:
    """A sentence for each pair or, where these are many, for each verdict beside a baseline."""
    if len(pairs) <= MOST_SENTENCES:
        return Bullets(tuple(sentence(context, pair) for pair in pairs))
    by_baseline, items = dict[str, list[Compared]](), list[str]()
    for pair in pairs:
        by_baseline.setdefault(pair.baseline, []).append(pair)
    for group in by_baseline.values():
        if len(group) < SEVERAL:
            items += (sentence(context, pair) for pair in group)
        else:
            items += _by_verdict(context, group)
    return Bullets(tuple(items))


def _by_verdict(context: Context, pairs: list[Compared]) -> list[str]:
    """A sentence for each verdict of pairs with one baseline."""
    words, by_verdict = context.words, dict[str, list[Compared]]()
    for pair in pairs:
        by_verdict.setdefault(pair.verdict, []).append(pair)
    items = []
    for verdict in VERDICTS:
        alike = by_verdict.get(verdict, [])
        alike.sort(key=lambda pair: -pair.paired.difference.mean if pair.paired else 0.0)
        arms = _listed(context, [_brief(context, pair) for pair in alike])
        if alike:
            items.append(
                words(
                    f"comparison.many_{verdict}",
                    count=len(alike),
                    of=len(pairs),
                    baseline=context.label(alike[0].baseline),
                    metric=words.metric(alike[0].metric),
                    arms=arms,
                )
            )
    lost = [context.label(pair.candidate) for pair in pairs if pair.diverged and pair.paired]
    if lost:
        items.append(words("comparison.many_lost", arms=_listed(context, lost)))
    constant = constant_sentence(words, pairs)
    return [*items, constant] if constant else items


def _listed(context: Context, arms: list[str]) -> str:
    """Arms one after another; with more than a comma between them where it stands in a label."""
    comma, more = context.words("words.between_items"), context.words("words.between_clauses")
    return (more if any(comma in arm for arm in arms) else comma).join(arms)


def _brief(context: Context, pair: Compared) -> str:
    """ "cRT (+9.3)", the difference from the baseline."""
    if pair.paired is None:
        return context.label(pair.candidate)
    return f"{context.label(pair.candidate)} ({points(pair.paired.difference.mean, pair.metric)})"


def sentence(context: Context, pair: Compared) -> str:
    """One pair's verdict with its numbers."""
    words, metric = context.words, pair.metric
    names = {
        "candidate": context.label(pair.candidate),
        "baseline": context.label(pair.baseline),
    }
    if pair.paired is None:
        return words(f"comparison.{pair.verdict}", **names, metric=words.metric(metric))
    found = pair.paired.difference
    unit = "words.points" if is_share(metric) else "words.plain"
    chance = p_phrase(pair.adjusted)
    if pair.family > 1:
        chance = words("comparison.corrected", p=chance, family=pair.family)
    told = words(
        f"comparison.{pair.verdict}",
        **names,
        metric=words.metric(metric),
        ours=share(pair.means[0]),
        theirs=share(pair.means[1]),
        difference=words(unit, value=points(found.mean, metric)),
        low=points(found.low, metric) if found.low is not None else "–",
        high=points(found.high, metric) if found.high is not None else "–",
        seeds=words.seeds(found.seeds),
        p=chance,
        detectable=detectable_sentence(words, pair),
    )
    return words.sentences(told, constant_sentence(words, [pair]), lost_sentence(words, pair))


def _on_seeds(context: Context, pairs: list[Compared]) -> list[Block]:
    """What as many seeds can show at all as each of the page's differences has."""
    words = context.words
    seeds = [len(pair.by_seed) for pair in pairs if pair.paired]
    if not seeds:
        return []
    tested = [count for count in seeds if count > 1]
    if not tested:
        return [Paragraph(words("lead.one_seed"), note=True)]
    fewest, most = min(tested), max(tested)
    if fewest < most:
        ends = [(words.seeds(count), bound_phrase(2 / 2**count)) for count in (fewest, most)]
        few, many = (words("lead.can_show", seeds=s, smallest=p) for s, p in ends)
        told = words("lead.unlike_seeds", seeds=words.seeds(*tested), few=few, many=many)
        return [Paragraph(told, note=True)]
    key = "lead.few_seeds" if fewest < ENOUGH_FOR_RANKS else "lead.enough_seeds"
    smallest = bound_phrase(2 / 2**fewest)
    return [Paragraph(words(key, seeds=words.seeds(fewest), smallest=smallest), note=True)]
