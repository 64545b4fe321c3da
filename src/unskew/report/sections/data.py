"""The data: class counts, and sample images before and after each skew."""

from __future__ import annotations

from unskew.data.skew import ExponentialSkew, describe_skew
from unskew.report.context import Context
from unskew.report.document import Block, Paragraph, Section, Table
from unskew.report.figures.counts import class_counts
from unskew.report.figures.samples import sample_grid


def skew_label(context: Context, slug: str) -> str:
    """What a training set is called: its skew in words."""
    words = context.words
    skews = [arm.arm.recipe.skew for arm in context.results.arms.values()]
    found = next((skew for skew in skews if describe_skew(skew) == slug), None)
    if found is None:
        return words("data.full")
    if isinstance(found, ExponentialSkew):
        return words("words.exponential", ratio=f"{found.imbalance_ratio:g}")
    names = [context.results.data["class_names"][k] for k in found.classes]
    in_a_row = list(found.classes) == list(range(found.classes[0], found.classes[-1] + 1))
    few = len(names) <= 3
    listed = ", ".join(names) if few else f"{names[0]} … {names[-1]}"
    if not (few or in_a_row):
        listed += f" ({len(names)})"
    return words("words.step", classes=listed, keep=f"{100 * found.keep:.3g} %")


def data_section(context: Context) -> Section:
    """How many images of each class there are, and what they look like."""
    words, data = context.words, context.results.data
    sets = {skew_label(context, skew): found for skew, found in data["skews"].items()}
    counts = {label: found["train"] for label, found in sets.items()}
    tests = {tuple(found["test"]) for found in sets.values()}
    names = data["class_names"]
    blocks: list[Block] = [Paragraph(note, note=True) for note in data["notes"]]
    if len(tests) > 1:
        blocks.append(Paragraph(words("data.test_skewed")))
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
    ordered = {skew_label(context, skew): found[skew] for skew in data["skews"] if skew in found}
    blocks.append(
        context.draw(
            "samples",
            sample_grid(names, ordered, counts),
            words("data.samples_caption", before=next(iter(counts))),
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
