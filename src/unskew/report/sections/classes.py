"""Class by class: recalls, the gap between minority and majority, confusions."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from unskew.evaluation.groups import FEW, MANY
from unskew.evaluation.significance import Interval
from unskew.report.compared import of_unlike_classes
from unskew.report.context import Context, seed_counts
from unskew.report.document import Block, Paragraph, Section, Table
from unskew.report.figures.classes import class_accuracy, group_gap
from unskew.report.figures.confusion import confusion_matrices
from unskew.report.numbers import mean_and_half, over_seeds, share
from unskew.report.telling import telling
from unskew.study.results import ArmResults

MOST_CLASSES, MOST_COLUMNS = 40, 12


def classes_section(context: Context) -> Section:
    """Recall by class, a figure for each network; recalls and precisions; the groups' means."""
    words, blocks = context.words, list[Block]()
    names = context.results.data.class_names
    if len(names) <= MOST_CLASSES:
        for model, arms in context.groups().items():
            shown = telling(context, arms)
            # Where training sets differ, the skewed one's counts are the ones worth seeing.
            sets = {arm.evaluations[0].train_counts for arm in shown.values()}
            counts = min(sets, key=sum)
            figure = class_accuracy(names, shown, list(counts), words("classes.axis"))
            caption = words.sentences(
                words.over("classes.caption", seed_counts(shown), group=context.model(model)),
                words("classes.numbers" if len(sets) == 1 else "classes.numbers_of_smallest"),
                _some(context, len(shown), len(arms)),
            )
            alt = words("classes.alt", arms=", ".join(shown))
            blocks.append(context.draw(f"classes-{model}", figure, caption, alt))
    if len(names) <= MOST_COLUMNS and context.finished():
        seeds = context.seeds_of(context.finished())
        blocks.append(
            _table(context, names, "class_accuracy", words("classes.recall_caption", seeds=seeds))
        )
        blocks.append(
            _table(context, names, "precision", words("classes.precision_caption", seeds=seeds))
        )
    blocks += [*_gap(context), *_shots(context)]
    return Section(words("section.classes"), tuple(blocks), "classes")


def _table(context: Context, names: Sequence[str], figure: str, caption: str) -> Table:
    """A figure of each class, "class_accuracy" or "precision": mean over the seeds."""
    rows = []
    for label, arm in context.finished().items():
        cells = []
        for k in range(len(names)):
            values = [getattr(evaluation, figure)[k] for evaluation in arm.evaluations]
            known = [value for value in values if value is not None]
            cells.append(f"{fmean(known):.2f}" if known else "–")
        rows.append((label, *cells))
    return Table((context.words("results.arm"), *names), tuple(rows), caption)


def _gap(context: Context) -> list[Block]:
    words, groups = context.words, dict[str, tuple[Interval, Interval]]()
    for label, arm in context.finished().items():
        few = over_seeds(arm.metric("minority_accuracy"))
        many = over_seeds(arm.metric("majority_accuracy"))
        if few and many:
            groups[label] = few, many
    if not groups:
        return []
    figure = group_gap(
        groups, words("classes.minority"), words("classes.majority"), words("classes.gap_axis")
    )
    sentences = [
        words(
            "classes.gap_sentence",
            arm=label,
            minority=share(few.mean),
            majority=share(many.mean),
            gap=f"{(many.mean - few.mean) * 100:.1f}",
        )
        for label, (few, many) in groups.items()
    ]
    alt = words("classes.gap_alt", summary=" ".join(sentences))
    finished = context.finished()
    unlike = unlike_sentence(context, list(finished.values()), "minority")
    seeds = seed_counts({label: finished[label] for label in groups})
    caption = words.sentences(words.over("classes.gap_caption", seeds), unlike)
    return [context.draw("minority-majority", figure, caption, alt)]


def _shots(context: Context) -> list[Block]:
    """Many-, medium- and few-shot accuracy; a sentence where every class is many-shot."""
    words, finished = context.words, context.finished()
    groups = ("many_accuracy", "medium_accuracy", "few_accuracy")
    found = {
        label: [over_seeds(arm.metric(group)) for group in groups]
        for label, arm in finished.items()
    }
    apart = {label: means for label, means in found.items() if means[1] or means[2]}
    if not found:
        return []
    if not apart:
        return [Paragraph(words("classes.all_many", many=MANY, few=FEW))]
    rows = [(label, *map(mean_and_half, means)) for label, means in apart.items()]
    header = (words("results.arm"), *words("classes.shots_header").split("|"))
    shown = {label: finished[label] for label in apart}
    caption = words.sentences(
        words.over("classes.shots_caption", seed_counts(shown), many=MANY, few=FEW),
        unlike_sentence(context, list(shown.values()), "many", "medium", "few"),
    )
    return [Table(header, tuple(rows), caption)]


def unlike_sentence(context: Context, shown: Sequence[ArmResults], *groups: str) -> str:
    """That a group is not the same classes in all arms that have it; empty where it is.

    Parameters
    ----------
    shown: the arms of a table or figure.
    groups: "minority", "few" and so on.
    """
    for metric in (f"{group}_accuracy" for group in groups):
        if of_unlike_classes(metric, *(arm for arm in shown if arm.metric(metric))):
            return context.words("classes.unlike")
    return ""


def confusion_section(context: Context) -> Section:
    """Confusion matrices of the arms that are compared first."""
    words = context.words
    compared = context.results.study.expanded_comparisons()
    families = [
        context.finished(list(dict.fromkeys(n for pair in c.pairs for n in pair))) for c in compared
    ]
    arms = next((family for family in families if family), context.finished())
    names = context.results.data.class_names
    if not arms:
        return Section(words("section.confusion"), ())
    in_order = {label: arm for label, arm in context.finished().items() if label in arms}
    shown = telling(context, in_order)
    picture = context.draw(
        "confusion",
        confusion_matrices(names, shown),
        words.sentences(
            words("confusion.caption", seeds=context.seeds_of(shown)),
            _some(context, len(shown), len(arms)),
        ),
        words("confusion.alt", arms=", ".join(shown)),
    )
    return Section(words("section.confusion"), (picture,), "confusion")


def _some(context: Context, shown: int, arms: int) -> str:
    """How the arms of a figure were chosen, where it does not show all."""
    return context.words("classes.some", shown=shown, arms=arms) if shown < arms else ""
