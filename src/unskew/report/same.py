"""Arms that are one and the same thing under several names."""

from __future__ import annotations

from dataclasses import dataclass

from unskew.study.results import ArmResults, StudyResults


@dataclass(frozen=True)
class Same:
    """Arms that take every judged image of every seed for the same class.

    Attributes
    ----------
    arms: two names or more, in the study's order.
    seeds: how many.
    probabilities: whether their probabilities agree too, so that nothing tells them apart.
    """

    arms: tuple[str, ...]
    seeds: int
    probabilities: bool


def same_arms(results: StudyResults) -> list[Same]:
    """Groups of arms that predict the same; arms whose logits are not kept are in none.

    Logits are read only of arms whose confusion matrices agree, which is cheap and nearly
    always settles it.
    """
    alike: dict[object, list[str]] = {}
    for name, arm in results.arms.items():
        found = {seed: run.evaluation.confusion for seed, run in arm.runs.items() if run.evaluation}
        if found:
            alike.setdefault(tuple(sorted(found.items())), []).append(name)
    groups: dict[object, list[str]] = {}
    for candidates in alike.values():
        for name in candidates if len(candidates) > 1 else ():
            answers = _answers(results.arms[name])
            if answers is not None:
                groups.setdefault(answers, []).append(name)
    return [_same(results, names) for names in groups.values() if len(names) > 1]


def _answers(arm: ArmResults) -> tuple[tuple[int, bytes, bytes], ...] | None:
    """(seed, true classes, predicted classes) of every finished run."""
    found = []
    for seed, run in sorted(arm.runs.items()):
        if run.evaluation is None:
            continue
        logits = run.logits()
        if logits is None:
            return None
        found.append((seed, logits[1].tobytes(), logits[0].argmax(axis=1).tobytes()))
    return tuple(found)


def _same(results: StudyResults, names: list[str]) -> Same:
    losses = [results.arms[name].metric("nll") for name in names]
    agree = all(
        abs(other[seed] - value) < 1e-9 for other in losses for seed, value in losses[0].items()
    )
    return Same(tuple(names), len(losses[0]), agree)
