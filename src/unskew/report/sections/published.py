"""Published figures and claims beside what was measured."""

from __future__ import annotations

import math

from unskew.evaluation.significance import (
    Interval,
    mean_interval,
    paired_difference,
    t_test_p,
)
from unskew.report.compared import LEVEL, finished, lost, of_unlike_classes
from unskew.report.context import Context
from unskew.report.document import Block, Bullets, Heading, Paragraph, Section, Table
from unskew.report.numbers import brackets, is_share, over_seeds, points, setting, share
from unskew.report.sections.choice import Chosen, value_of
from unskew.study.outline import matches
from unskew.study.parts import Claim, Published
from unskew.study.results import ArmResults


def published_section(context: Context, published: Published, choices: list[Chosen]) -> Section:
    """The table of figures, then each claim held against the numbers."""
    words, results = context.words, context.results
    rows = []
    for figure in published.figures:
        found = over_seeds(results.arms[figure.arm].metric(figure.metric))
        difference = "–"
        if found:
            difference = points(found.mean - figure.value, figure.metric)
        rows.append(
            (
                context.label(figure.arm),
                words.metric(figure.metric),
                f"{figure.value:g}",
                share(found.mean) if found else "–",
                brackets(found),
                difference,
                _seeds(context, figure.arm, found),
            )
        )
    blocks: list[Block] = []
    measured = results.data.name
    if rows:
        header = tuple(words("published.header").split("|"))
        caption = words("published.caption", source=published.source, data=measured)
        blocks.append(Table(header, tuple(rows), caption, 2))
    blocks += other_data(context, published)
    if published.claims:
        blocks.append(Heading(words("section.claims")))
    sentences = claim_sentences(context, published, choices)
    if sentences:
        blocks.append(Bullets(tuple(sentences)))
    return Section(words("section.published"), tuple(blocks), "published")


def _seeds(context: Context, arm: str, found: Interval | None) -> str:
    """How many seeds a figure is over, and of how many where runs of its arm diverged."""
    seeds, diverged = found.seeds if found else 0, len(context.results.arms[arm].diverged)
    if not diverged:
        return str(seeds)
    return context.words("results.some", done=seeds, of=len(context.results.arms[arm].runs))


def other_data(context: Context, published: Published) -> list[Block]:
    """A note where what was published and what was measured are on different images."""
    measured = context.results.data.name
    if not published.data or _plain(published.data) == _plain(measured):
        return []
    text = context.words("published.other_data", published=published.data, measured=measured)
    return [Paragraph(text, note=True)]


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def claim_sentences(context: Context, published: Published, choices: list[Chosen]) -> list[str]:
    """Each claim, whether it holds here, by which numbers, and what follows."""
    sentences = []
    for claim in published.claims:
        holds, numbers = _judge(context, claim, choices)
        text = context.text(claim.text)
        if holds is None:
            key = "published.open" if numbers else "published.unknown"
            sentences.append(context.words(key, text=text, measured=numbers))
            continue
        key = "published.holds" if holds else "published.fails"
        sentence = context.words(key, text=text, measured=numbers)
        consequence = context.text(claim.follows if holds else claim.fails)
        sentences.append(context.words.sentences(sentence, consequence))
    return sentences


def _judge(context: Context, claim: Claim, choices: list[Chosen]) -> tuple[bool | None, str]:
    if claim.selection is not None:
        return _judge_choice(context, claim, choices)
    if claim.arm is None or claim.metric is None:
        return None, ""
    arms = [context.results.arms[name] for name in (claim.arm, claim.than) if name is not None]
    figures, *other = (arm.metric(claim.metric) for arm in arms)
    if not set(figures).intersection(*other):
        return None, _why_none(context, claim.metric, *arms)
    if of_unlike_classes(claim.metric, *arms):
        return None, _unlike(context, claim.metric)
    if other:
        found, key = paired_difference(figures, *other).difference, "published.difference"
    else:
        found, key = mean_interval(list(figures.values())), "published.measured"
    shown = [
        "–" if value is None else share(value) for value in (found.mean, found.low, found.high)
    ]
    numbers = context.words(key, value=shown[0], low=shown[1], high=shown[2])
    numbers = _without_lost(context, numbers, *arms)
    return _holds(found, claim, claim.metric, claim.than is not None), numbers


def _why_none(context: Context, metric: str, *arms: ArmResults) -> str:
    """Why no seed has the figure in all of these arms; "" where none is over in all of them."""
    if finished(*arms):
        return _undefined(context, metric)
    return context.words("published.diverged") if any(arm.diverged for arm in arms) else ""


def _undefined(context: Context, metric: str) -> str:
    return context.words("published.undefined", metric=context.words.metric(metric))


def _unlike(context: Context, metric: str) -> str:
    return context.words("published.unlike", metric=context.words.metric(metric))


def _without_lost(context: Context, numbers: str, *arms: ArmResults) -> str:
    """What was measured, and that it is of the runs that survived where others diverged."""
    seeds = lost(context.results, *(arm.arm.name for arm in arms))
    if not seeds:
        return numbers
    told = context.words("published.lost", seeds=", ".join(map(str, seeds)))
    return context.words("words.between_clauses").join((numbers, told))


def _judge_choice(context: Context, claim: Claim, choices: list[Chosen]) -> tuple[bool | None, str]:
    matching = [c for c in choices if matches(c.selection.name, claim.selection or "")]
    for chosen in matching:
        if chosen.choice is None and chosen.undefined:
            return None, _undefined(context, chosen.selection.metric)
        if chosen.unlike:
            return None, _unlike(context, chosen.selection.metric)
        if len(chosen.left_out) == len(chosen.selection.arms):
            return None, context.words("published.all_diverged")
    if not matching or any(chosen.choice is None for chosen in matching):
        return None, ""
    values, gains = [], []
    verdicts: list[bool | None] = []
    for chosen in matching:
        assert chosen.choice is not None
        arm = context.results.arms[chosen.choice.chosen]
        title = context.text(chosen.selection.title) or chosen.selection.name
        values.append(f"{value_of(context, chosen.selection, chosen.choice.chosen)} ({title})")
        if claim.value is not None:
            verdicts.append(_is_best(context, chosen, claim.value))
            continue
        metric = claim.metric or chosen.selection.metric
        ours = arm.metric(metric)
        baseline = context.results.arms[chosen.selection.baseline]
        base = baseline.metric(metric)
        if not ours.keys() & base.keys():
            return None, _why_none(context, metric, arm, baseline)
        if of_unlike_classes(metric, arm, baseline):
            return None, _unlike(context, metric)
        gain = paired_difference(ours, base).difference
        unit = "words.points" if is_share(metric) else "words.plain"
        told = context.words(unit, value=points(gain.mean, metric))
        ends = [end for end in (gain.low, gain.high) if end is not None]
        interval = " … ".join(points(end, metric) for end in ends) or "–"
        gains.append(_without_lost(context, f"{told} [{interval}] ({title})", arm, baseline))
        verdicts.append(_holds(gain, claim, metric, difference=True))
    joined = context.words("words.and")
    # One that does not hold is enough for a claim about all of them.
    holds = False if False in verdicts else None if None in verdicts else True
    if claim.value is not None:
        key = "published.chosen" if holds is not None else "published.chosen_closely"
        if not any(_having(context, chosen, claim.value) for chosen in matching):
            key = "published.not_tried"
        told = context.words(key, values=joined.join(values), value=setting(claim.value))
        return holds, told
    return holds, context.words("published.gained", gains=joined.join(gains))


def _is_best(context: Context, chosen: Chosen, value: object) -> bool | None:
    """Whether a claimed value is the best on held-out images; None where seeds do not tell.

    It is where it beats every other value, and it is not where the best of them beats it, each by
    Student's paired t test at 5 % in all: corrected for as many values as it is compared with.
    """
    assert chosen.choice is not None
    selection, held_out = chosen.selection, context.results.validation
    names = [name for name in selection.arms if name not in chosen.left_out]
    figures = {name: held_out[name].metric(selection.metric) for name in names}
    claimed = _having(context, chosen, value)
    others = [name for name in names if name not in claimed]
    if len(claimed) != 1 or not others:
        return None

    def beats(one: str, other: str) -> bool:
        paired = paired_difference(figures[one], figures[other])
        p = None if paired.is_constant else t_test_p(paired.difference)
        return paired.difference.mean > 0 and p is not None and p * len(others) < LEVEL

    if chosen.choice.chosen == claimed[0]:
        return True if all(beats(claimed[0], other) for other in others) else None
    return False if beats(chosen.choice.chosen, claimed[0]) else None


def _having(context: Context, chosen: Chosen, value: object) -> list[str]:
    """Arms of a choice that have a value in the field that is chosen."""
    selection, arms = chosen.selection, context.results.arms
    return [
        name for name in selection.arms
        if name not in chosen.left_out and getattr(arms[name].arm.recipe, selection.field) == value
    ]  # fmt: skip


def _holds(found: Interval, claim: Claim, metric: str, difference: bool) -> bool | None:
    """Whether the whole interval lies within the claim's bounds, or none of it; else it is open.

    Parameters
    ----------
    difference: of two figures, which is 0 on all seeds where the two do the same. What no share
        or difference of shares can be is left out of an interval that few seeds have made so wide.
    """
    low = -math.inf if claim.low is None else claim.low
    high = math.inf if claim.high is None else claim.high
    nothing = difference and found.mean == 0
    if found.low is None or found.high is None or (found.spread == 0 and not nothing):
        return None  # from one seed, or the same on all by luck: nothing is known of chance
    bottom, top = found.low, found.high
    if is_share(metric):
        bottom, top = max(bottom, -1.0 if difference else 0.0), min(top, 1.0)
    if low <= bottom and top <= high:
        return True
    return False if top < low or bottom > high else None
