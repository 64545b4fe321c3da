"""Class by class: recalls, the gap between minority and majority, confusions."""

from __future__ import annotations

from unskew.evaluation.significance import Interval
from unskew.report.context import Context
from unskew.report.document import Block, Section
from unskew.report.figures.classes import class_accuracy, group_gap
from unskew.report.figures.confusion import confusion_matrices
from unskew.report.numbers import over_seeds, share
from unskew.study.results import ArmResults

MOST_ARMS, MOST_CLASSES, MOST_MATRICES = 4, 40, 4


def classes_section(context: Context) -> Section:
    """Accuracy by class, a figure for each network; then the gap of every skewed arm."""
    words, blocks = context.words, list[Block]()
    names = context.results.data["class_names"]
    if len(names) <= MOST_CLASSES:
        for model, arms in context.groups().items():
            shown = dict(list(arms.items())[:MOST_ARMS])
            # Where training sets differ, the skewed one's counts are the ones worth seeing.
            counts = min((a.evaluations[0].train_counts for a in shown.values()), key=sum)
            figure = class_accuracy(names, shown, list(counts), words("classes.axis"))
            caption = words("classes.caption", group=model, seeds=context.seeds_of(shown))
            alt = words("classes.alt", arms=", ".join(shown))
            blocks.append(context.draw(f"classes-{model}", figure, caption, alt))
    blocks += _gap(context)
    return Section(words("section.classes"), tuple(blocks), "classes")


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
    return [context.draw("minority-majority", figure, words("classes.gap_caption"), alt)]


def confusion_section(context: Context) -> Section:
    """Confusion matrices of the arms that comparisons start from."""
    words = context.words
    compared = context.results.study.expanded_comparisons()
    wanted = list(dict.fromkeys(n for c in compared for pair in c.pairs for n in reversed(pair)))
    chosen: dict[str, ArmResults] = context.finished(wanted or None)
    shown = dict(list(chosen.items())[:MOST_MATRICES])
    names = context.results.data["class_names"]
    if not shown:
        return Section(words("section.confusion"), ())
    picture = context.draw(
        "confusion",
        confusion_matrices(names, shown),
        words("confusion.caption", seeds=context.seeds_of(shown)),
        words("confusion.alt", arms=", ".join(shown)),
    )
    return Section(words("section.confusion"), (picture,), "confusion")
