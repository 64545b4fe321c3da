"""Second stages: the best arms again, with fresh seeds and on images that did not choose them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from unskew.report.compared import Compared, compare
from unskew.report.context import Context, seed_counts
from unskew.report.document import Block, Bullets, Heading, Paragraph, Section, Table
from unskew.report.numbers import mean_and_half, over_seeds, points
from unskew.report.sections.comparisons import comparison_figure, comparison_table
from unskew.report.sections.data import few_tested
from unskew.report.sections.results import diverged_sentence
from unskew.study.parts import Comparison
from unskew.study.results import SecondStage, StudyResults

FIGURES = ("balanced_accuracy", "minority_accuracy", "majority_accuracy", "worst_class_accuracy")


@dataclass(frozen=True)
class Confirmed:
    """A second stage and its comparison of every arm with the baseline."""

    second: SecondStage
    comparison: Comparison
    pairs: list[Compared]

    @property
    def has_begun(self) -> bool:
        """Whether any arm can be compared yet."""
        return any(pair.paired for pair in self.pairs)


def confirm(results: StudyResults) -> list[Confirmed]:
    """Every second stage of the study, compared."""
    found = []
    for second in results.second_stages:
        stage = second.stage
        others = [name for name in second.arms if name != stage.baseline]
        # Unchecked: where the baseline alone has gone on there is no pair, as in no study file.
        comparison = Comparison.model_construct(
            title=stage.title,
            metric=stage.metric,
            pairs=[(name, stage.baseline) for name in others],
        )
        pairs = compare(replace(results, arms=second.arms), comparison)
        found.append(Confirmed(second, comparison, pairs))
    return found


def second_stage_section(context: Context, confirmed: list[Confirmed]) -> Section:
    """How each was chosen, the paired differences, and what the choice had flattered."""
    blocks: list[Block] = []
    for number, stage in enumerate(confirmed, 1):
        blocks.append(Heading(context.text(stage.comparison.title) or stage.second.stage.name))
        blocks += how_chosen(context, stage)
        if stage.has_begun:
            shown = [pair for pair in stage.pairs if pair.paired]
            name = f"second-stage-{number}"
            blocks.append(comparison_figure(context, name, stage.comparison, shown))
            blocks.append(comparison_table(context, stage.comparison, shown))
            blocks.append(_flattery(context, stage))
    return Section(context.words("section.second_stage"), tuple(blocks), "second-stage")


def how_chosen(context: Context, confirmed: Confirmed) -> list[Block]:
    """What was ranked by what, and what stands for what."""
    words, second = context.words, confirmed.second
    stage, shortlist = second.stage, second.shortlist
    names = context.results.data.class_names
    ranked = words(
        "second_stage.ranked",
        ranked=len(shortlist.ranking),
        metric=words.metric(stage.metric),
        seeds=words.seeds(len(shortlist.seeds)),
    )
    again = words(
        "second_stage.again" if confirmed.pairs else "second_stage.nothing",
        best=len(shortlist.arms) - len({stage.baseline, *stage.always}),
        fresh=words.seeds(stage.seeds),
    )
    judged = _judged(second)
    unseen = [name for name, n in zip(names, judged, strict=True) if not n] if judged else []
    if unseen:
        listed = words("words.between_items").join(unseen)
        again = words.sentences(again, words("second_stage.unseen_classes", classes=listed))
    blocks: list[Block] = [Paragraph(words.sentences(ranked, again))]
    blocks += few_tested(context, judged) if judged else []
    same = [
        words(
            # What is always run again goes on, and is compared, whatever it is the same as.
            "second_stage.same_always" if name in second.arms else "second_stage.same",
            arm=context.label(name),
            other=context.label(other),
        )
        for name, other in shortlist.same_as.items()
    ]
    left_out = [
        words("second_stage.left_out", arm=context.label(name)) for name in shortlist.left_out
    ]
    diverged = [diverged_sentence(context, arm) for arm in second.arms.values() if arm.diverged]
    if same or left_out or diverged:
        blocks.append(Bullets((*same, *left_out, *diverged)))
    if second.missing:
        blocks.append(Paragraph(words("second_stage.partial", missing=second.missing), note=True))
    return blocks


def _judged(second: SecondStage) -> tuple[int, ...]:
    """Images of each class in the half that judges this stage; empty before its first run."""
    judged = next((e for arm in second.arms.values() for e in arm.evaluations), None)
    return judged.support if judged else ()


def _flattery(context: Context, confirmed: Confirmed) -> Table:
    """Each arm's figures, and its gain over the baseline in both stages."""
    words, second = context.words, confirmed.second
    shortlist, metric = second.shortlist, second.stage.metric
    later = {pair.candidate: pair.paired for pair in confirmed.pairs}
    rows = []
    for name, arm in second.arms.items():
        figures = [mean_and_half(over_seeds(arm.metric(figure))) for figure in FIGURES]
        first, paired = shortlist.ranking.get(name), later.get(name)
        gains = ["–", "–", "–"]
        if first is not None and name != second.stage.baseline:
            gains[0] = points(first - shortlist.baseline, metric)
        if paired is not None:
            gains[1] = points(paired.difference.mean, metric)
        if first is not None and paired is not None:
            flattered = first - shortlist.baseline - paired.difference.mean
            gains[2] = points(flattered, metric)
        rows.append((context.label(name), *figures, *gains))
    names = [words(f"results.{figure}") for figure in FIGURES]
    header = (words("results.arm"), *names, *words("second_stage.gains").split("|"))
    seeds = seed_counts(second.arms)
    caption = words.over(
        "second_stage.caption", seeds, metric=words.metric(metric), fresh=words.seeds(*seeds)
    )
    return Table(header, tuple(rows), caption)
