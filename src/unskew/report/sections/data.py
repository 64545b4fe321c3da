"""The data: class counts, and sample images before and after each skew."""

from __future__ import annotations

from collections.abc import Iterable

from unskew.data.skew import ExponentialSkew, describe_skew
from unskew.report.context import Context
from unskew.report.document import Block, Paragraph, Section, Table
from unskew.report.figures.counts import class_counts
from unskew.report.figures.samples import MOST_CLASSES, sample_grid

FEW_TESTED = 50
"""Test images of a class; with fewer, each is worth more than two points of its accuracy."""


MOST_NAMED = 5
"""Classes that a sentence names one by one."""


def skew_label(context: Context, slug: str) -> str:
    """What a training set is called: its skew in words, with its short name where two of a study
    would be called the same.
    """
    label = _in_words(context, slug)
    slugs = {slug, *context.results.data.skews}
    alike = [other for other in slugs if _in_words(context, other) == label]
    return label if len(alike) == 1 else f"{label} ({slug})"


def _in_words(context: Context, slug: str) -> str:
    words = context.words
    skews = [arm.arm.recipe.skew for arm in context.results.arms.values()]
    found = next((skew for skew in skews if describe_skew(skew) == slug), None)
    if found is None:
        return words("data.full")
    if isinstance(found, ExponentialSkew):
        return words("words.exponential", ratio=f"{found.imbalance_ratio:g}")
    names = [context.results.data.class_names[k] for k in found.classes]
    in_a_row = list(found.classes) == list(range(found.classes[0], found.classes[-1] + 1))
    few = len(names) <= 3
    listed = ", ".join(names) if few else f"{names[0]} … {names[-1]}"
    if not (few or in_a_row):
        listed += f" ({len(names)})"
    return words("words.step", classes=listed, keep=f"{100 * found.keep:.3g} %")


def data_section(context: Context) -> Section:
    """How many images of each class there are, and what they look like."""
    words, data = context.words, context.results.data
    sets = {skew_label(context, skew): found for skew, found in data.skews.items()}
    counts = {label: found.train for label, found in sets.items()}
    tests = {found.test for found in sets.values()}
    judged_by = {describe_skew(a.arm.recipe.test_skew) for a in context.results.arms.values()}
    names = data.class_names
    blocks: list[Block] = [Paragraph(note, note=True) for note in data.notes]
    if len(judged_by) > 1:
        blocks.append(Paragraph(words("data.test_skewed")))
    blocks += _few_tested(context, max(tests, key=sum))
    summary = "; ".join(f"{label}: {min(c)}–{max(c)}" for label, c in counts.items())
    blocks.append(
        context.draw(
            "class-counts",
            class_counts(names, counts),
            words("data.counts_caption", test=f"{sum(max(tests, key=sum)):,}"),
            words("data.counts_alt", summary=summary),
        )
    )
    found = context.results.samples
    ordered = {skew_label(context, skew): found[skew] for skew in data.skews if skew in found}
    caption = words("data.samples_caption")
    if len(names) > MOST_CLASSES:
        some = words("data.samples_some", of=len(names), count=MOST_CLASSES)
        caption = words.sentences(caption, some)
    blocks.append(
        context.draw(
            "samples",
            sample_grid(names, ordered, counts),
            caption,
            words("data.samples_alt", summary=summary),
            bitmap=True,
        )
    )
    rows = tuple(
        (label, f"{sum(c):,}", f"{min(c):,}", f"{max(c):,}", f"{max(c) / max(min(c), 1):.3g}")
        for label, c in counts.items()
    )
    header = tuple(words("data.skews_header").split("|"))
    blocks.append(Table(header, rows, words("data.skews_caption")))
    return Section(words("section.data"), tuple(blocks), "data")


def _few_tested(context: Context, tested: tuple[int, ...]) -> list[Block]:
    """Classes whose accuracy goes in large steps."""
    names = context.results.data.class_names
    few = {name: n for name, n in zip(names, tested, strict=True) if 0 < n < FEW_TESTED}
    if not few:
        return []
    words = context.words
    if len(few) > MOST_NAMED:
        listed = words("data.few_classes", count=len(few), each=_span(few.values()))
    else:
        listed = words("words.between_items").join(f"{name} ({n})" for name, n in few.items())
    steps = _span(100 / n for n in few.values())
    return [Paragraph(words("data.few_tested", classes=listed, points=steps), note=True)]


def _span(values: Iterable[float]) -> str:
    """ "20" or "31–40", with two digits."""
    shown = sorted({f"{float(f'{value:.2g}'):g}" for value in values}, key=float)
    return shown[0] if len(shown) == 1 else f"{shown[0]}–{shown[-1]}"
