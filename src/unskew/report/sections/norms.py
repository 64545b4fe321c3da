"""What weight decay does to the classifier: the length of each class's weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unskew.evaluation.groups import is_minority
from unskew.evaluation.significance import mean_interval
from unskew.report.classifier import classifier_norms
from unskew.report.context import Context
from unskew.report.document import Block, Bullets, Section
from unskew.report.figures.norms import NormsPanel, class_norms
from unskew.report.numbers import mean_and_half, share
from unskew.report.sections.choice import value_of
from unskew.study.parts import Selection
from unskew.study.results import ArmResults

FIELD = "weight_decay"


def norms_section(context: Context) -> Section:
    """A panel for every selection of λ, and how far the groups' lengths lie apart in each."""
    words, panels, sentences, seeds = context.words, list[NormsPanel](), list[str](), list[int]()
    for selection in context.results.study.expanded_selections():
        if selection.field != FIELD:
            continue
        found = {name: norms_by_seed(context.results.arms[name]) for name in selection.arms}
        if any(found.values()):
            panel = _panel(context, selection, found)
            if any(np.array_equal(panel.norms, p.norms, equal_nan=True) for p in panels):
                continue
            panels.append(panel)
            seeds += [len(norms) for norms in found.values() if norms]
            sentences += _ratios(context, selection, found, panel)
    if not panels:
        return Section(words("section.norms"), ())
    picture = context.draw(
        "classifier-norms",
        class_norms(
            panels, words("classes.minority"), words("norms.others"), words("norms.axis"), "λ"
        ),
        words("norms.caption", seeds=words.seeds(*seeds)),
        words("norms.alt", summary="; ".join(map(_in_words, panels))),
    )
    blocks: list[Block] = [picture]
    blocks += [Bullets(tuple(sentences))] if sentences else []
    return Section(words("section.norms"), tuple(blocks), "norms")


def norms_by_seed(arm: ArmResults) -> dict[int, NDArray[np.float64]]:
    """Each class's length, float64 (K,), by seed; runs without such weights are left out."""
    found = {
        seed: classifier_norms(run.folder, len(run.evaluation.class_names))
        for seed, run in arm.runs.items()
        if run.evaluation
    }
    return {seed: norms for seed, norms in found.items() if norms is not None}


def _panel(
    context: Context, selection: Selection, found: dict[str, dict[int, NDArray[np.float64]]]
) -> NormsPanel:
    arms = context.results.arms
    evaluations = [e for name in selection.arms for e in arms[name].evaluations]
    counts = np.array(evaluations[0].train_counts)
    unknown = np.full(len(counts), np.nan)
    return NormsPanel(
        title=context.text(selection.title) or selection.name,
        values=[value_of(context, selection, name) for name in selection.arms],
        norms=np.array(
            [np.mean(list(found[n].values()), axis=0) if found[n] else unknown for n in found]
        ),
        minority=is_minority(counts),
    )


def _ratios(
    context: Context,
    selection: Selection,
    found: dict[str, dict[int, NDArray[np.float64]]],
    panel: NormsPanel,
) -> list[str]:
    """Minority over majority length without decay and at the λ that evens the lengths most."""
    few = panel.minority
    if not few.any() or not found.get(selection.baseline):
        return []
    ratios = {
        name: [float(n[few].mean() / n[~few].mean()) for n in norms.values() if n[~few].any()]
        for name, norms in found.items()
    }
    ratios = {name: values for name, values in ratios.items() if values}
    if selection.baseline not in ratios:
        return []
    means = {name: float(np.mean(values)) for name, values in ratios.items()}
    even = min(means, key=lambda name: abs(means[name] - 1))
    moved = share(means[even]) != share(means[selection.baseline])
    return [
        context.words(
            "norms.ratio" if moved else "norms.ratio_unmoved",
            title=panel.title,
            baseline=value_of(context, selection, selection.baseline),
            at_baseline=mean_and_half(mean_interval(ratios[selection.baseline])),
            even=value_of(context, selection, even),
            at_even=mean_and_half(mean_interval(ratios[even])),
        )
    ]


def _in_words(panel: NormsPanel) -> str:
    means = panel.norms.mean(axis=1)
    pairs = zip(panel.values, means, strict=True)
    known = [f"{value}: {mean:.2f}" for value, mean in pairs if not np.isnan(mean)]
    return f"{panel.title}: " + ", ".join(known)
