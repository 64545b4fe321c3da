"""What every arm is worth where the classes come in other shares than in the test set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.data.skew import describe_skew
from unskew.evaluation.priors import log_loss_under_prior, tilted_prior
from unskew.evaluation.significance import mean_interval
from unskew.report.context import Context, seed_counts
from unskew.report.document import Block, Bullets, Paragraph, Section, Table
from unskew.report.figures.priors import accuracy_by_prior
from unskew.report.numbers import mean_and_half, share
from unskew.report.sections.data import skew_label
from unskew.report.sections.results import MOST
from unskew.study.results import ArmResults, RunResult

POWERS = (1.0, 0.0, -1.0)
"""Of the training counts: the training prior, the uniform one, the training prior reversed."""

Figures = list[tuple[float, ...]]
"""A row a run: accuracy under each of POWERS, then, where logits are kept, the loss likewise."""


def priors_section(context: Context) -> Section:
    """A figure, which arm is best under which prior, and the table; of skewed arms alone."""
    words = context.words
    arms = {
        label: arm
        for label, arm in context.finished().items()
        if any(e.minority_accuracy is not None for e in arm.evaluations)
    }
    if not arms:
        return Section(words("section.priors"), ())
    figures = {label: under_priors(arm) for label, arm in arms.items()}
    leaders = _leaders(arms, figures)
    shown = {label: arms[label] for label in _worth_drawing(leaders)}
    summary = "; ".join(
        f"{label}: {' / '.join(share(value) for value in _means(figures[label]))}"
        for label in shown
    )
    picture = context.draw(
        "priors",
        accuracy_by_prior(shown, _names(context), words("priors.axis")),
        words.over("priors.figure_caption", seed_counts(shown)),
        words("priors.figure_alt", summary=summary),
    )
    blocks: list[Block] = [Paragraph(words("priors.meaning")), picture]
    sentences = [
        _sentence(context, skew, labels, figures)
        for skew, (labels, _) in leaders.items()
        if len(labels) > 1
    ]
    blocks += [Bullets(tuple(sentences))] if sentences else []
    return Section(words("section.priors"), (*blocks, _table(context, figures)), "priors")


def under_priors(arm: ArmResults) -> Figures:
    """Of each finished run."""
    return [_of_run(run) for run in arm.runs.values() if run.evaluation]


def _of_run(run: RunResult) -> tuple[float, ...]:
    evaluation = run.evaluation
    assert evaluation is not None
    priors = [tilted_prior(np.array(evaluation.train_counts), power) for power in POWERS]
    accuracies = tuple(evaluation.accuracy_under(prior) for prior in priors)
    found = run.logits()
    if found is None:
        return accuracies
    logits, labels = found[0].astype(np.float64), found[1]
    return *accuracies, *(log_loss_under_prior(logits, labels, prior) for prior in priors)


def _names(context: Context) -> list[str]:
    return context.words("priors.names").split("|")


def _means(runs: Figures) -> NDArray[np.float64]:
    """Mean accuracy over the runs under each of POWERS."""
    means: NDArray[np.float64] = np.mean([run[: len(POWERS)] for run in runs], axis=0)
    return means


def _leaders(
    arms: dict[str, ArmResults], figures: dict[str, Figures]
) -> dict[str, tuple[list[str], list[str]]]:
    """By training set: its arms' labels, and the one with the highest mean under each prior."""
    together: dict[str, list[str]] = {}
    for label, arm in arms.items():
        together.setdefault(describe_skew(arm.arm.recipe.skew), []).append(label)
    found = {}
    for skew, labels in together.items():
        means = np.array([_means(figures[label]) for label in labels])
        found[skew] = labels, [labels[row] for row in means.argmax(axis=0)]
    return found


def _worth_drawing(leaders: dict[str, tuple[list[str], list[str]]]) -> list[str]:
    """Each training set's first arm and its leaders, as many as colours can tell apart."""
    wanted = dict.fromkeys(
        label for labels, best in leaders.values() for label in (labels[0], *best)
    )
    return list(wanted)[:MOST]


def _sentence(context: Context, skew: str, labels: list[str], figures: dict[str, Figures]) -> str:
    """Which arm of a training set has the highest mean under each prior."""
    means = np.array([_means(figures[label]) for label in labels])
    best = [
        context.words(
            "priors.best_under",
            prior=name,
            arm=labels[means[:, column].argmax()],
            value=share(means[:, column].max()),
        )
        for column, name in enumerate(_names(context))
    ]
    return context.words(
        "priors.best",
        training_set=skew_label(context, skew),
        count=len(labels),
        best=context.words("words.between_clauses").join(best),
    )


def _table(context: Context, figures: dict[str, Figures]) -> Table:
    words, rows = context.words, []
    columns = 2 * len(POWERS)
    for label, runs in figures.items():
        # A mean over the seeds whose logits are kept would not be over the same seeds.
        known = min(map(len, runs))
        cells = [mean_and_half(mean_interval([run[k] for run in runs])) for k in range(known)]
        rows.append((label, *cells, *["–"] * (columns - known)))
    header = (words("results.arm"), *words("priors.header").split("|"))
    caption = words.over("priors.caption", map(len, figures.values()))
    return Table(header, tuple(rows), caption)
