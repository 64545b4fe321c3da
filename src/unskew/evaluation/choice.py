"""Choosing a setting on validation, and what choosing it on the test images would flatter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unskew.evaluation.conventions import DECIMALS

Scores = Mapping[str, Mapping[int, float]]
"""A figure by candidate and seed."""


@dataclass(frozen=True)
class Choice:
    """What was chosen, and what would have been.

    Attributes
    ----------
    chosen: the candidate with the largest mean on validation.
    by_test: the candidate with the largest mean on the test images.
    test_of_chosen, test_of_by_test: mean test figure of each.
    optimism: how much the test figure reported for the best candidate is flattered when each
        seed's best candidate is picked by that seed's own test figure, as a single run would:
        mean over seeds of max over candidates, minus the mean test figure of the candidate
        that validation chose.
    votes: on how many seeds each candidate is the best on validation.
    seeds: seeds that every candidate has on both.
    """

    chosen: str
    by_test: str
    test_of_chosen: float
    test_of_by_test: float
    optimism: float
    votes: dict[str, int]
    seeds: tuple[int, ...]


def choose(validation: Scores, test: Scores) -> Choice | None:
    """Choose among candidates by validation; None if no seed is complete.

    Ties go to the candidate that comes first; what differs by rounding alone is a tie.

    Parameters
    ----------
    validation, test: the same candidates, in the order they should be preferred.
    """
    complete = [set(scores) for table in (validation, test) for scores in table.values()]
    seeds = sorted(set.intersection(*complete)) if complete else []
    if not seeds:
        return None
    names = list(validation)
    inside, outside = (
        np.array([[table[name][seed] for seed in seeds] for name in names]).round(DECIMALS)
        for table in (validation, test)
    )
    chosen, by_test = (
        int(table.mean(axis=1).round(DECIMALS).argmax()) for table in (inside, outside)
    )
    votes = Counter(names[k] for k in inside.argmax(axis=0))
    return Choice(
        chosen=names[chosen],
        by_test=names[by_test],
        test_of_chosen=float(outside[chosen].mean()),
        test_of_by_test=float(outside[by_test].mean()),
        optimism=float(outside.max(axis=0).mean() - outside[chosen].mean()),
        votes={name: votes.get(name, 0) for name in names},
        seeds=tuple(seeds),
    )
