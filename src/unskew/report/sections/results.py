"""Every arm's figures, and how its training went."""

from __future__ import annotations

from unskew.report.context import Context
from unskew.report.document import Block, Paragraph, Section, Table
from unskew.report.figures.curves import training_curves
from unskew.report.numbers import mean_and_half, over_seeds

FIGURES = (
    "accuracy", "balanced_accuracy", "minority_accuracy", "majority_accuracy",
    "worst_class_accuracy", "final_train_loss",
)  # fmt: skip
MOST = 7
"""Arms that one figure can tell apart; the palette's length."""


def results_section(context: Context) -> Section:
    """One table of all arms."""
    words, rows, blocks = context.words, [], list[Block]()
    for name, arm in context.results.arms.items():
        figures = [mean_and_half(over_seeds(arm.metric(metric))) for metric in FIGURES]
        rows.append((context.label(name), *figures, str(len(arm.evaluations))))
        if arm.diverged:
            blocks.append(
                Paragraph(
                    words(
                        "results.diverged",
                        arm=context.label(name),
                        count=len(arm.diverged),
                        runs=len(arm.runs),
                        seeds=", ".join(map(str, arm.diverged)),
                    ),
                    note=True,
                )
            )
    header = tuple(words("results.header").split("|"))
    table = Table(header, tuple(rows), words("results.caption"))
    return Section(words("section.results"), (table, *blocks), "results")


def curves_section(context: Context) -> Section:
    """Loss and accuracy curves, a figure for each network."""
    words, blocks = context.words, list[Block]()
    for model, arms in context.groups().items():
        labels = list(arms)
        for part, start in enumerate(range(0, len(labels), MOST)):
            shown = {label: arms[label] for label in labels[start : start + MOST]}
            figure = training_curves(
                shown, words("curves.loss"), words("curves.accuracy"), words("curves.epoch")
            )
            blocks.append(
                context.draw(
                    f"curves-{model}" + (f"-{part + 1}" if part else ""),
                    figure,
                    words("curves.caption", group=model, seeds=context.seeds_of(shown)),
                    words("curves.alt", arms=", ".join(shown)),
                )
            )
    return Section(words("section.curves"), tuple(blocks), "curves")
