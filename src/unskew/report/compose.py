"""All sections in their order: a study's results as one document."""

from __future__ import annotations

from collections.abc import Callable

from unskew import __version__
from unskew.report.compared import compare
from unskew.report.context import Context, seed_counts
from unskew.report.document import Block, Document, Paragraph, Section
from unskew.report.figures.style import styled
from unskew.report.interacting import interact
from unskew.report.ranked import rank_all
from unskew.report.sections.calibration import calibration_section
from unskew.report.sections.choice import choice_section, make_choices
from unskew.report.sections.classes import classes_section, confusion_section
from unskew.report.sections.comparisons import comparisons_section
from unskew.report.sections.conclusions import conclusions_section
from unskew.report.sections.data import data_section
from unskew.report.sections.interactions import interactions_section
from unskew.report.sections.method import method_section
from unskew.report.sections.networks import networks_section
from unskew.report.sections.norms import norms_section
from unskew.report.sections.priors import priors_section
from unskew.report.sections.published import published_section
from unskew.report.sections.rankings import rankings_section
from unskew.report.sections.results import curves_section, results_section
from unskew.report.sections.second_stage import confirm, second_stage_section
from unskew.report.sections.spreads import spreads_section
from unskew.report.spreads import spread_all
from unskew.study.plan import plan


def compose(
    context: Context, listen: Callable[[int, int], None] = lambda done, total: None
) -> Document:
    """Write every section and draw every figure.

    Parameters
    ----------
    listen: told how many sections are written, and of how many, before each.
    """
    results, words = context.results, context.words
    study = results.study
    with styled():
        written: list[Section] = []
        writers = _writers(context)
        for writer in writers:
            listen(len(written), len(writers))
            written.append(writer())
    return Document(
        title=context.text(study.title) or study.name,
        language=words.language,
        lead=_lead(context),
        sections=tuple(section for section in written if _says_something(section)),
        contents=words("section.contents"),
        footer=f"unskew {__version__}",
    )


def _writers(context: Context) -> list[Callable[[], Section]]:
    """What writes each section, in the order of the page; tests and choices are made once."""
    results = context.results
    study = results.study
    compared = [(c, compare(results, c)) for c in study.expanded_comparisons()]
    choices = make_choices(results)
    confirmed = confirm(results)
    ranked = rank_all(results)
    interacting = [interact(results, family) for family in study.expanded_interactions()]
    spreads = spread_all(results)
    published = study.published
    return [
        lambda: conclusions_section(
            context, compared, interacting, ranked, spreads, choices, confirmed
        ),
        lambda: second_stage_section(context, confirmed),
        lambda: data_section(context),
        lambda: networks_section(context),
        lambda: results_section(context),
        lambda: curves_section(context),
        lambda: comparisons_section(context, compared),
        lambda: interactions_section(context, interacting),
        lambda: rankings_section(context, ranked),
        lambda: spreads_section(context, spreads),
        lambda: classes_section(context),
        lambda: confusion_section(context),
        lambda: priors_section(context),
        lambda: calibration_section(context),
        lambda: choice_section(context, choices),
        lambda: norms_section(context),
        *([lambda: published_section(context, published, choices)] if published else []),
        lambda: method_section(context),
    ]


def _lead(context: Context) -> tuple[Block, ...]:
    results, words = context.results, context.words
    # A run serves every arm of its recipe, and is one.
    planned = plan(results.study, results.planned, results.data.fingerprint)
    total = sum(not run.for_choice for run in planned)
    over = len({run.folder for arm in results.arms.values() for run in arm.runs.values()})
    most = max(seed_counts(results.arms), default=0) or results.planned
    question = context.text(results.study.question)
    summary = words.over(
        "lead.summary",
        [most],
        runs=over,
        data=results.data.name,
        arms=len(results.arms),
        seeds=words.seeds(results.planned),
    )
    blocks: list[Block] = [Paragraph(text) for text in (question, summary) if text]
    if over < total:
        partial = words("lead.partial", missing=total - over, total=total)
        blocks.append(Paragraph(partial, note=True))
    return tuple(blocks)


def _says_something(section: Section) -> bool:
    return bool(section.blocks)
