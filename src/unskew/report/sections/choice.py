"""Settings chosen on validation, beside what the test images would have chosen."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.evaluation.choice import Choice, choose
from unskew.report.context import Context
from unskew.report.document import Block, Paragraph, Section, Table
from unskew.report.figures.sweep import sweep
from unskew.report.numbers import over_seeds, setting, share
from unskew.study.results import StudyResults
from unskew.study.spec import Selection


@dataclass(frozen=True)
class Chosen:
    """An expanded selection and its outcome; None while its runs are not over."""

    selection: Selection
    choice: Choice | None


def make_choices(results: StudyResults) -> list[Chosen]:
    """Every selection of the study, decided."""
    found = []
    for selection in results.study.expanded_selections():
        names = [name for name in selection.arms if name in results.validation]
        inside = {n: results.validation[n].metric(selection.metric) for n in names}
        outside = {n: results.arms[n].metric(selection.metric) for n in names}
        complete = len(names) == len(selection.arms)
        found.append(Chosen(selection, choose(inside, outside) if complete else None))
    return found


def value_of(context: Context, selection: Selection, arm: str) -> str:
    """The chosen field's value in an arm, as text."""
    return setting(getattr(context.results.arms[arm].arm.recipe, selection.field))


def choice_sentence(context: Context, chosen: Chosen) -> str:
    """What was chosen, what the test would have chosen, and how much that flatters."""
    words, selection, choice = context.words, chosen.selection, chosen.choice
    title = context.text(selection.title)
    if choice is None:
        return words("choice.pending", title=title)
    sentence = words(
        "choice.chosen",
        title=title,
        field=_field(selection),
        metric=words.metric(selection.metric),
        chosen=value_of(context, selection, choice.chosen),
        test=share(choice.test_of_chosen),
        by_test=value_of(context, selection, choice.by_test),
        by_test_value=share(choice.test_of_by_test),
        optimism=f"{choice.optimism * 100:.1f}",
    )
    if choice.chosen == selection.baseline:
        sentence += " " + words("choice.gain")
    return sentence


def choice_section(context: Context, choices: list[Chosen]) -> Section:
    """A figure, a table and a sentence for each selection."""
    blocks: list[Block] = []
    for chosen in choices:
        if chosen.choice is not None:
            blocks += [_figure(context, chosen), _table(context, chosen)]
        blocks.append(Paragraph(choice_sentence(context, chosen)))
    return Section(context.words("section.choice"), tuple(blocks), "choice")


def _field(selection: Selection) -> str:
    return "λ" if selection.field == "weight_decay" else selection.field


def _figure(context: Context, chosen: Chosen) -> Block:
    words, results, selection = context.words, context.results, chosen.selection
    values = [float(getattr(results.arms[n].arm.recipe, selection.field)) for n in selection.arms]
    series = {
        words("choice.test"): [
            over_seeds(results.arms[n].metric(selection.metric)) for n in selection.arms
        ],
        words("choice.validation"): [
            over_seeds(results.validation[n].metric(selection.metric)) for n in selection.arms
        ],
    }
    metric, title = words.metric(selection.metric), context.text(selection.title)
    tested = [i for i in series[words("choice.test")] if i is not None]
    summary = ", ".join(
        f"{setting(v)}: {share(i.mean)}" for v, i in zip(values, tested, strict=False)
    )
    seeds = words.seeds(len(chosen.choice.seeds) if chosen.choice else 0)
    return context.draw(
        f"choice-{selection.name}",
        sweep(values, series, metric, _field(selection)),
        words("choice.caption", title=title, metric=metric, field=_field(selection), seeds=seeds),
        words("choice.alt", metric=metric, field=_field(selection), summary=summary),
    )


def _table(context: Context, chosen: Chosen) -> Table:
    words, results, selection = context.words, context.results, chosen.selection
    assert chosen.choice is not None
    rows = []
    for name in selection.arms:
        inside = over_seeds(results.validation[name].metric(selection.metric))
        outside = over_seeds(results.arms[name].metric(selection.metric))
        rows.append(
            (
                value_of(context, selection, name),
                share(inside.mean) if inside else "–",
                share(outside.mean) if outside else "–",
                str(chosen.choice.votes[name]),
            )
        )
    header = tuple(words("choice.header", field=_field(selection)).split("|"))
    caption = words(
        "choice.table_caption",
        title=context.text(selection.title),
        metric=words.metric(selection.metric),
        share=f"{selection.validation:.0%}",
    )
    return Table(header, tuple(rows), caption)
