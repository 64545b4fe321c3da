"""Every arm's figures, and how its training went."""

from __future__ import annotations

from unskew.report.context import Context, seed_counts
from unskew.report.document import Block, Bullets, Heading, Paragraph, Section, Table
from unskew.report.figures.curves import training_curves
from unskew.report.figures.overview import overview
from unskew.report.numbers import mean_and_half, over_seeds
from unskew.report.same import same_arms
from unskew.report.sections.classes import unlike_sentence
from unskew.study.results import ArmResults

FIGURES = (
    "accuracy", "balanced_accuracy", "minority_accuracy", "majority_accuracy",
    "worst_class_accuracy", "macro_f1", "final_train_loss",
)  # fmt: skip
MOST = 7
"""Arms that one figure can tell apart; the palette's length."""


def results_section(context: Context) -> Section:
    """One table of all arms."""
    words, rows, blocks = context.words, [], list[Block]()
    planned = context.results.planned
    shown = _informative(context)
    for name, arm in context.results.arms.items():
        figures = [mean_and_half(over_seeds(arm.metric(metric))) for metric in shown]
        done = len(arm.evaluations)
        seeds = str(done) if done == planned else words("results.some", done=done, of=planned)
        # Not last: of a wide table a reader sees the first columns.
        rows.append((context.label(name), seeds, *figures))
        if arm.diverged:
            blocks.append(Paragraph(diverged_sentence(context, arm), note=True))
        blocks += _cut_short(context, arm)
    names = [words(f"results.{metric}") for metric in shown]
    header = (words("results.arm"), words("results.seeds"), *names)
    caption = words.over("results.caption", seed_counts(context.results.arms))
    if "balanced_accuracy" not in shown:
        caption = words.sentences(caption, words("results.balanced"))
    arms = list(context.results.arms.values())
    caption = words.sentences(caption, unlike_sentence(context, arms, "minority"))
    table = Table(header, tuple(rows), caption)
    blocks += _same(context)
    return Section(words("section.results"), (*_overview(context), table, *blocks), "results")


def diverged_sentence(context: Context, arm: ArmResults) -> str:
    """Which runs of an arm are in no figure."""
    return context.words(
        "results.diverged",
        arm=context.label(arm.arm.name),
        count=len(arm.diverged),
        runs=len(arm.runs),
        seeds=", ".join(map(str, arm.diverged)),
    )


def _cut_short(context: Context, arm: ArmResults) -> list[Block]:
    """That runs of an arm ended before its remedy had begun all that it does."""
    cut = [run.outcome.unbegun for run in arm.runs.values() if run.outcome.unbegun]
    if not cut:
        return []
    told = context.words(
        "results.cut_short",
        arm=context.label(arm.arm.name),
        limit=f"{arm.arm.recipe.max_steps:,}",
        count=len(cut),
        runs=len(arm.runs),
        stage=cut[0][0],
    )
    return [Paragraph(told, note=True)]


def _same(context: Context) -> list[Block]:
    """Arms that nothing, or nothing but their probabilities, tells apart."""
    words, sentences = context.words, []
    for same in same_arms(context.results):
        names = [words("words.quoted", text=context.label(name)) for name in same.arms]
        sentences.append(
            words(
                "results.same_all" if same.probabilities else "results.same_classes",
                arms=words("words.and").join(names),
                seeds=words.seeds(same.seeds),
            )
        )
    return [Heading(words("results.same")), Bullets(tuple(sentences))] if sentences else []


def _informative(context: Context) -> list[str]:
    """FIGURES without balanced accuracy where the test set makes it the same as accuracy."""
    arms = context.results.arms.values()
    supports = [evaluation.support for arm in arms for evaluation in arm.evaluations]
    same = bool(supports) and all(len(set(filter(None, support))) == 1 for support in supports)
    return [metric for metric in FIGURES if not (same and metric == "balanced_accuracy")]


def _overview(context: Context) -> list[Block]:
    words, arms, study = context.words, context.finished(), context.results.study
    if not arms:
        return []
    figures = study.published.figures if study.published else []
    published = {
        context.label(figure.arm): figure.value
        for figure in figures
        if figure.metric == "accuracy" and context.label(figure.arm) in arms
    }
    metric = words.metric("accuracy")
    summary = "; ".join(
        f"{label}: {mean_and_half(over_seeds(arm.metric('accuracy')))}"
        for label, arm in arms.items()
    )
    caption = words.over("overview.caption", seed_counts(arms), metric=metric)
    if published and study.published:
        measured_on = words("overview.published", data=study.published.data or "–")
        caption = words.sentences(caption, measured_on)
    return [
        context.draw(
            "overview",
            overview(arms, "accuracy", published, metric, words("overview.label")),
            caption,
            words("overview.alt", metric=metric, summary=summary),
        )
    ]


def curves_section(context: Context) -> Section:
    """Loss and accuracy curves, a figure for each network."""
    words, blocks = context.words, list[Block]()
    for model, arms in context.groups().items():
        trained = {label: arm for label, arm in arms.items() if arm.trained}
        labels = list(trained)
        for part, start in enumerate(range(0, len(labels), MOST)):
            shown = {label: trained[label] for label in labels[start : start + MOST]}
            figure = training_curves(
                shown, words("curves.loss"), words("curves.accuracy"), words("curves.epoch")
            )
            caption = words.over("curves.caption", seed_counts(shown), group=context.model(model))
            if len(trained) < len(arms):
                caption = words.sentences(caption, words("curves.taken_over"))
            blocks.append(
                context.draw(
                    f"curves-{model}" + (f"-{part + 1}" if part else ""),
                    figure,
                    caption,
                    words("curves.alt", arms=", ".join(shown)),
                )
            )
    return Section(words("section.curves"), tuple(blocks), "curves")
