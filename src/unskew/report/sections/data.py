"""The data: class counts, and sample images before and after each skew."""

from __future__ import annotations

from collections.abc import Iterable

from unskew.data.skew import ExponentialSkew, Skew, describe_skew
from unskew.report.context import Context
from unskew.report.document import Block, Paragraph, Section, Table
from unskew.report.figures.counts import class_counts
from unskew.report.figures.samples import MOST_CLASSES, sample_grid
from unskew.study.parts import Arm

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
    skews = [arm.arm.recipe.skew for arm in context.results.arms.values()]
    return skew_words(context, next((s for s in skews if describe_skew(s) == slug), None))


def skew_words(context: Context, skew: Skew | None) -> str:
    """ "0 … 4: 10 % kept", "exponential, ratio 100" or "full data"."""
    words = context.words
    if skew is None:
        return words("data.full")
    if isinstance(skew, ExponentialSkew):
        return words("words.exponential", ratio=f"{skew.imbalance_ratio:g}")
    names = [context.results.data.class_names[k] for k in skew.classes]
    in_a_row = list(skew.classes) == list(range(skew.classes[0], skew.classes[-1] + 1))
    few = len(names) <= 3
    listed = ", ".join(names) if few else f"{names[0]} … {names[-1]}"
    if not (few or in_a_row):
        listed += f" ({len(names)})"
    return words("words.step", classes=listed, keep=f"{100 * skew.keep:.3g} %")


def data_section(context: Context) -> Section:
    """How many images of each class there are, and what they look like."""
    words, data = context.words, context.results.data
    sets = {skew_label(context, skew): found for skew, found in data.skews.items()}
    counts = {label: found.train for label, found in sets.items()}
    tests = {found.test for found in sets.values()}
    names = data.class_names
    blocks: list[Block] = [Paragraph(note, note=True) for note in data.notes]
    blocks += [*_test_skewed(context), *few_tested(context, _fewest_judged(context, tests))]
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
    each = context.results.study.subset_per_seed and _tests_skewed(context)
    caption = words("data.skews_caption_each" if each else "data.skews_caption")
    blocks.append(Table(header, rows, caption))
    return Section(words("section.data"), tuple(blocks), "data")


def _test_skewed(context: Context) -> list[Block]:
    """That test images are skewed too, in all arms or in some."""
    skews = {describe_skew(s): s for s in (arm.recipe.test_skew for arm in _arms(context))}
    if len(skews) > 1:
        return [Paragraph(context.words("data.test_skewed"))]
    (skew,) = skews.values()
    if skew is None:
        return []
    return [Paragraph(context.words("data.all_skewed", skew=skew_words(context, skew)))]


def _tests_skewed(context: Context) -> bool:
    return any(arm.recipe.test_skew is not None for arm in _arms(context))


def _arms(context: Context) -> list[Arm]:
    return [arm.arm for arm in context.results.arms.values()]


def _fewest_judged(context: Context, tests: set[tuple[int, ...]]) -> tuple[int, ...]:
    """Of each class the fewest images, above none, that any arm is judged by.

    Parameters
    ----------
    tests: what the test sets hold by class, where no run is over that would say it itself.
    """
    judged = {e.support for arm in context.results.arms.values() for e in arm.evaluations}
    by_class = zip(*(judged or tests), strict=True)
    return tuple(min(filter(None, counts), default=0) for counts in by_class)


def few_tested(context: Context, tested: tuple[int, ...]) -> list[Block]:
    """Classes whose accuracy goes in large steps.

    Parameters
    ----------
    tested: K, images of each class that arms are judged by.
    """
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
    each = context.results.study.subset_per_seed and _tests_skewed(context)
    told = words("data.few_tested", classes=listed, points=steps)
    rest = words("data.few_tested_each" if each else "data.few_tested_alike")
    return [Paragraph(words.sentences(told, rest), note=True)]


def _span(values: Iterable[float]) -> str:
    """ "20" or "31–40", with two digits."""
    shown = sorted({f"{float(f'{value:.2g}'):g}" for value in values}, key=float)
    return shown[0] if len(shown) == 1 else f"{shown[0]}–{shown[-1]}"
