"""How the study was done: what a reader needs to judge or repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from unskew.data.skew import ExponentialSkew, StepSkew, describe_skew
from unskew.report.compared import LEVEL
from unskew.report.context import Context
from unskew.report.document import Block, Bullets, Section, Table
from unskew.report.numbers import duration, setting
from unskew.report.sections.data import skew_words
from unskew.training.only_with import acts
from unskew.training.outcome import FINISHED, SHORT

IDENTITY = ("data", "fingerprint", "model_source", "remedy_sources", "seed", "validation")
"""Fields that every run has its own of, or that are told elsewhere."""


def method_section(context: Context) -> Section:
    """Pairing, the test images, the shared settings, the machine."""
    words, results = context.words, context.results
    recipes = [arm.arm.recipe for arm in results.arms.values()]
    sentences = [
        _pairing(context, sorted({recipe.subset_seed for recipe in recipes})),
        words("method.test_halves" if results.study.confirmations else "method.test"),
        words("method.last_epoch"),
        words("method.verdicts", level=f"{LEVEL:.0%}".replace("%", " %")),
        words("method.train_accuracy"),
    ]
    if own := {**results.study.model_sources, **results.study.remedy_sources}:
        told = [words("method.own_part", name=n, digest=digest) for n, digest in own.items()]
        sentences.append(words("method.own_parts", parts=words("words.between_items").join(told)))
    second = [arm for stage in results.second_stages for arm in stage.arms.values()]
    tables = (*results.arms.values(), *results.validation.values(), *second)
    # A run may serve several arms, and what has taken over a training has cost none.
    runs = {run.outcome.run_id: run.outcome for arm in tables for run in arm.runs.values()}
    outcomes = [outcome for outcome in runs.values() if not outcome.trained_by]
    # One that diverged has few steps because it ended early.
    whole = [outcome for outcome in outcomes if outcome.outcome == FINISHED]
    short = [outcome for outcome in whole if 0 < outcome.steps < SHORT]
    if short:
        key = "method.short" if len(short) == len(whole) else "method.some_short"
        sentences.append(words(key, steps=SHORT))
    if outcomes:
        sentences.append(
            words(
                "method.machine",
                torch=_all(outcome.torch_version for outcome in outcomes),
                precision=_all(outcome.precision for outcome in outcomes),
                device=_all(outcome.device for outcome in outcomes),
                threads=_all(str(outcome.threads) for outcome in outcomes),
                seconds=duration(sum(outcome.train_seconds for outcome in outcomes)),
            )
        )
    # Each seed's own is no setting.
    unsaid = (*IDENTITY, "subset_seed") if results.study.subset_per_seed else IDENTITY
    dumped = [recipe.model_dump(mode="json") for recipe in recipes]
    shared = [
        (name, _in_words(context, getattr(recipes[0], name)))
        for name, value in dumped[0].items()
        if name not in unsaid
        and value not in (None, [], {}, "")
        and all(other[name] == value for other in dumped)
        and any(acts(recipe, name) for recipe in recipes)
    ]
    header = tuple(words("method.setting").split("|"))
    blocks: tuple[Block, ...] = (
        Bullets(tuple(sentences)),
        Table(header, tuple(shared), words("method.recipe_caption"), text_columns=2),
    )
    return Section(words("section.method"), blocks, "method")


def _pairing(context: Context, subset_seeds: list[int]) -> str:
    words = context.words
    alike = unlike = ""
    if _differ(context):
        alike = words("method.alike")
        unlike = words("method.unlike") + words("words.between_sentences")
    if context.results.study.subset_per_seed:
        key = "method.pairing_each" if len(subset_seeds) == 1 else "method.pairing_each_subsets"
        return words(key, alike=alike, unlike=unlike)
    if len(subset_seeds) == 1:
        seed = subset_seeds[0]
        return words("method.pairing", subset_seed=seed, alike=alike, unlike=unlike)
    listed = words("words.between_items").join(map(str, subset_seeds))
    return words("method.pairing_subsets", subset_seeds=listed, alike=alike, unlike=unlike)


def _in_words(context: Context, value: object) -> str:
    """A setting's value as the rest of the page, or a recipe's file, writes it."""
    if isinstance(value, StepSkew | ExponentialSkew):
        return skew_words(context, value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        lines = (f"{name} = {_in_words(context, inner)}" for name, inner in _flat(value))
        return context.words("words.between_clauses").join(lines)
    if isinstance(value, tuple | list):
        return ", ".join(_in_words(context, inner) for inner in value)
    return setting(value)


def _flat(options: Mapping[str, object], within: str = "") -> Iterator[tuple[str, object]]:
    """Options by name, those of several remedies by dotted names as in a recipe's file."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", value


def _differ(context: Context) -> bool:
    """Whether arms differ in network or training set, and share less of a seed.

    A remedy that keeps images out of training to be fitted on them has another training set.
    """
    arms = context.results.arms.values()
    recipes = [arm.arm.recipe for arm in arms]
    counts = {evaluation.train_counts for arm in arms for evaluation in arm.evaluations}
    networks = {(r.model, str(r.model_options), describe_skew(r.skew)) for r in recipes}
    return len(networks) > 1 or len(counts) > 1


def _all(values: object) -> str:
    return ", ".join(sorted(set(values)))  # type: ignore[call-overload]
