"""What every section of a study's report is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unskew.report.page import Page
from unskew.study.results import ArmResults, StudyResults
from unskew.study.text import told_apart


def seed_counts(arms: Mapping[str, ArmResults]) -> list[int]:
    """How many seeds each of some arms has finished."""
    return [len(arm.evaluations) for arm in arms.values()]


@dataclass
class Context(Page):
    """Results, words and drawn figures of one report.

    Attributes
    ----------
    results: the study's folder as numbers.
    """

    results: StudyResults

    def label(self, arm: str) -> str:
        """An arm's label in the report's language; with its name where two have one label."""
        labels = told_apart({name: found.arm.label for name, found in self.results.arms.items()})
        return self.text(labels[arm])

    def model(self, name: str) -> str:
        """What the study calls a network in texts for readers."""
        return self.results.study.names.get(name, name)

    def finished(self, names: list[str] | None = None) -> dict[str, ArmResults]:
        """Arms with at least one finished run, by label; of these names, or of all."""
        wanted = self.results.arms if names is None else names
        return {
            self.label(name): self.results.arms[name]
            for name in wanted
            if self.results.arms[name].evaluations
        }

    def groups(self) -> dict[str, dict[str, ArmResults]]:
        """Finished arms by their network: what is drawn together."""
        groups: dict[str, dict[str, ArmResults]] = {}
        for label, arm in self.finished().items():
            groups.setdefault(arm.arm.recipe.model, {})[label] = arm
        return groups

    def seeds_of(self, arms: dict[str, ArmResults]) -> str:
        """How many seeds arms have, in words."""
        return self.words.seeds(*seed_counts(arms))
