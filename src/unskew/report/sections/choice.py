"""Settings chosen on validation, beside what the test images would have chosen."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.evaluation.choice import Choice, choose
from unskew.report.compared import finished, of_unlike_classes
from unskew.report.context import Context
from unskew.report.document import Block, Heading, Paragraph, Section, Table
from unskew.report.figures.sweep import Panel, sweep
from unskew.report.numbers import mean_and_half, over_seeds, setting, share
from unskew.study.parts import Selection
from unskew.study.results import ArmResults, StudyResults

FEW_HELD_OUT = 20
"""Held-out images of a class below which its accuracy is worth a warning: one image is 5 points."""


@dataclass(frozen=True)
class Chosen:
    """An expanded selection and its outcome.

    Attributes
    ----------
    choice: None while its runs are not over, where every arm is left out, or where it is
        undefined.
    left_out: arms of which a run, of the choice or on the test images, has diverged: a setting
        that explodes is not to be chosen, and must not keep the others from being compared.
    undefined: whether the others have finished runs, on no seed of which all have the figure.
    unlike: whether the figure is a mean over classes that are not the same in all of them.
    """

    selection: Selection
    choice: Choice | None
    left_out: tuple[str, ...] = ()
    undefined: bool = False
    unlike: bool = False


def make_choices(results: StudyResults) -> list[Chosen]:
    """Every selection of the study, decided."""
    found = []
    for selection in results.study.expanded_selections():
        begun = [name for name in selection.arms if name in results.validation]
        left_out = tuple(
            n for n in begun if results.validation[n].diverged or results.arms[n].diverged
        )
        names = [name for name in begun if name not in left_out]
        inside = {n: results.validation[n].metric(selection.metric) for n in names}
        outside = {n: results.arms[n].metric(selection.metric) for n in names}
        complete = len(begun) == len(selection.arms)
        judged = [table[n] for n in names for table in (results.validation, results.arms)]
        unlike = complete and of_unlike_classes(selection.metric, *judged)
        choice = choose(inside, outside) if complete and not unlike else None
        undecided = choice is None and complete and not unlike
        undefined = undecided and bool(judged) and bool(finished(*judged))
        found.append(Chosen(selection, choice, left_out, undefined, unlike))
    return found


def selection_title(context: Context, selection: Selection) -> str:
    """The study's title, or else the selection's name."""
    return context.text(selection.title) or selection.name


def value_of(context: Context, selection: Selection, arm: str) -> str:
    """The chosen field's value in an arm, as text."""
    return setting(getattr(context.results.arms[arm].arm.recipe, selection.field))


def choice_sentence(context: Context, chosen: Chosen) -> str:
    """What was chosen, what the test would have chosen, and how much that flatters."""
    words, selection, choice = context.words, chosen.selection, chosen.choice
    title = selection_title(context, selection)
    if choice is None:
        metric = words.metric(selection.metric)
        return words(_why_none(chosen), title=title, metric=metric)
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
        gain = words("choice.gain", baseline=context.label(selection.baseline))
        sentence = words.sentences(sentence, gain)
    if chosen.left_out:
        values = [value_of(context, selection, arm) for arm in chosen.left_out]
        left_out = words("choice.left_out", values=words("words.between_items").join(values))
        sentence = words.sentences(sentence, left_out)
    if len(choice.seeds) < context.results.planned:
        sentence = words.sentences(
            sentence, words("choice.partial", seeds=words.seeds(len(choice.seeds)))
        )
    held_out = _held_out(context.results, selection)
    unseen = [
        name for name, n in zip(context.results.data.class_names, held_out, strict=True) if not n
    ]
    if unseen:
        listed = words("words.between_items").join(unseen)
        sentence = words.sentences(sentence, words("choice.unseen_classes", classes=listed))
    fewest = min(filter(None, held_out))
    if fewest < FEW_HELD_OUT:
        few = words("choice.few_of_others" if unseen else "choice.few", fewest=fewest)
        sentence = words.sentences(sentence, few)
    return sentence


def _why_none(chosen: Chosen) -> str:
    if len(chosen.left_out) == len(chosen.selection.arms):
        return "choice.all_diverged"
    if chosen.unlike:
        return "choice.unlike"
    return "choice.undefined" if chosen.undefined else "choice.pending"


def _held_out(results: StudyResults, selection: Selection) -> list[int]:
    """Held-out images of each class, in the run that has fewest of it."""
    supports = [
        run.evaluation.support
        for name in selection.arms
        for run in results.validation[name].runs.values()
        if run.evaluation is not None
    ]
    return [min(counts) for counts in zip(*supports, strict=True)]


def choice_section(context: Context, choices: list[Chosen]) -> Section:
    """A figure for all selections of one setting, then a sentence and a table for each."""
    blocks: list[Block] = []
    decided = [chosen for chosen in choices if chosen.choice is not None]
    alike: dict[tuple[str, str], list[Chosen]] = {}
    for chosen in decided:
        alike.setdefault((chosen.selection.field, chosen.selection.metric), []).append(chosen)
    for number, together in enumerate(alike.values(), 1):
        blocks.append(_figure(context, number, together))
    for chosen in choices:
        blocks.append(Heading(selection_title(context, chosen.selection)))
        blocks.append(Paragraph(choice_sentence(context, chosen)))
        if chosen.choice is not None:
            blocks.append(_table(context, chosen))
    return Section(context.words("section.choice"), tuple(blocks), "choice")


def _field(selection: Selection) -> str:
    return "λ" if selection.field == "weight_decay" else selection.field


def _figure(context: Context, number: int, together: list[Chosen]) -> Block:
    words, selection = context.words, together[0].selection
    metric, field = words.metric(selection.metric), _field(selection)
    panels = [_panel(context, chosen) for chosen in together]
    summary = "; ".join(_in_words(panel, words("choice.test")) for panel in panels)
    seeds = [len(c.choice.seeds) for c in together if c.choice]
    return context.draw(
        f"choice-{number}",
        sweep(panels, metric, field),
        words.over("choice.caption", seeds, metric=metric, field=field),
        words("choice.alt", metric=metric, field=field, summary=summary),
    )


def _panel(context: Context, chosen: Chosen) -> Panel:
    words, results, selection = context.words, context.results, chosen.selection
    tables = {"choice.test": results.arms, "choice.validation": results.validation}
    return Panel(
        title=selection_title(context, selection),
        values=[value_of(context, selection, name) for name in selection.arms],
        series={
            words(key): [over_seeds(_compared(table[n], chosen)) for n in selection.arms]
            for key, table in tables.items()
        },
        chosen=selection.arms.index(chosen.choice.chosen) if chosen.choice else None,
    )


def _compared(arm: ArmResults, chosen: Chosen) -> dict[int, float]:
    """An arm's figures on the seeds that the choice is made of; all it has if it is left out."""
    figures = arm.metric(chosen.selection.metric)
    if chosen.choice is None or arm.arm.name in chosen.left_out:
        return figures
    return {seed: value for seed, value in figures.items() if seed in chosen.choice.seeds}


def _in_words(panel: Panel, series: str) -> str:
    pairs = zip(panel.values, panel.series[series], strict=True)
    return f"{panel.title}: " + ", ".join(f"{value}: {share(i.mean)}" for value, i in pairs if i)


def _table(context: Context, chosen: Chosen) -> Table:
    words, results, selection = context.words, context.results, chosen.selection
    assert chosen.choice is not None
    rows = []
    for name in selection.arms:
        inside = over_seeds(_compared(results.validation[name], chosen))
        outside = over_seeds(_compared(results.arms[name], chosen))
        rows.append(
            (
                value_of(context, selection, name),
                mean_and_half(inside),
                mean_and_half(outside),
                str(chosen.choice.votes.get(name, "–")),
            )
        )
    header = tuple(words("choice.header", field=_field(selection)).split("|"))
    caption = words.over(
        "choice.table_caption",
        [len(chosen.choice.seeds)],
        metric=words.metric(selection.metric),
        share=f"{100 * selection.validation:.3g} %",
    )
    return Table(header, tuple(rows), caption)
