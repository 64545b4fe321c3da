"""What every section is written from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from unskew.report.catalogue import Words
from unskew.report.document import Picture
from unskew.report.figures import style
from unskew.study.results import ArmResults, StudyResults
from unskew.study.text import in_language


@dataclass
class Context:
    """Results, words and drawn figures of one report.

    Attributes
    ----------
    results: the study's folder as numbers.
    words: messages in the report's language.
    figures: folder the figures are written to.
    drawn: the inline SVG of every figure by name.
    """

    results: StudyResults
    words: Words
    figures: Path
    drawn: dict[str, str] = field(default_factory=dict)

    def label(self, arm: str) -> str:
        """An arm's label in the report's language; with its name where two have one label."""
        labels = {name: self.text(found.arm.label) for name, found in self.results.arms.items()}
        label = labels[arm]
        return label if list(labels.values()).count(label) == 1 else f"{label} ({arm})"

    def model(self, name: str) -> str:
        """What the study calls a network in texts for readers."""
        return self.results.study.names.get(name, name)

    def text(self, text: dict[str, str]) -> str:
        """A study's text in the report's language."""
        return in_language(text, self.words.language)

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

    def draw(
        self, name: str, figure: Figure, caption: str, alt: str, *, bitmap: bool = False
    ) -> Picture:
        """Write a figure's files and give the block that shows it."""
        self.drawn[name] = style.save(figure, self.figures, name)
        return Picture(name, caption, alt, bitmap)

    def seeds_of(self, arms: dict[str, ArmResults]) -> str:
        """How many seeds arms have, in words."""
        return self.words.seeds(*(len(arm.evaluations) for arm in arms.values()))
