"""What a study file says, and the same spelt out: every arm, every pair, by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field

from unskew.errors import UserError
from unskew.study.parts import (
    Arm,
    ArmTemplate,
    Comparison,
    Confirmation,
    Gain,
    Grid,
    Interaction,
    Part,
    Published,
    Ranking,
    Selection,
    Spread,
    combinations,
)
from unskew.study.text import Text, fill
from unskew.training.recipe import Recipe, make_recipe

THE_STUDYS = {
    "data": "the study's own data, or --data, is what all arms run on",
    "seed": "seeds, or --seeds, says how many each arm has",
    "validation": "a selection says what is held out for its choice",
    "fingerprint": "it follows from the data",
    "model_source": "it follows from the file that defines the network",
    "remedy_sources": "they follow from the files that define the remedies",
}
"""Fields of a recipe that a study sets itself, and what to give instead."""


class Outline(Part):
    """The keys of a study file; templates and grids are expanded by the methods."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    seeds: int = Field(6, ge=1)
    subset_per_seed: bool = Field(
        False, description="each seed also draws which images a skew keeps and a choice holds out"
    )
    data: str = "digits"
    title: Text = Field({})
    question: Text = Field({})
    model_sources: dict[str, str] = Field(
        {}, description="by a network's name, what a recipe has of it; filled in when it is run"
    )
    remedy_sources: dict[str, str] = Field({}, description="the same of remedies")
    names: dict[str, str] = Field({}, description="what values are called in labels and titles")
    recipe: dict[str, Any] = Field({})
    arms: list[ArmTemplate] = Field(min_length=1)
    selections: list[Selection] = Field([])
    comparisons: list[Comparison] = Field([])
    interactions: list[Interaction] = Field([])
    rankings: list[Ranking] = Field([])
    spreads: list[Spread] = Field([])
    confirmations: list[Confirmation] = Field([])
    published: Published | None = None

    def expanded_arms(self) -> dict[str, Arm]:
        """Every arm by name, in the file's order.

        Raises
        ------
        UserError: a recipe is wrong or two arms have one name; the message names the arm.
        """
        arms: dict[str, Arm] = {}
        for template in self.arms:
            for values in combinations(template.grid):
                name = fill(template.name, values)
                if name in arms:
                    raise UserError(f"two arms are called {name!r}: tell them apart by their grid")
                fields = {**self.recipe, **template.recipe, **values}
                try:
                    for field in fields.keys() & THE_STUDYS:
                        raise UserError(
                            f"{field} cannot be set in a recipe of a study: {THE_STUDYS[field]}"
                        )
                    recipe = make_recipe({**fields, "data": self.data})
                    recipe = self._with_sources(recipe)
                except UserError as error:
                    raise UserError(f"arm {name!r}: {error}") from None
                label = self._titled(template.label, values)
                arms[name] = Arm(name=name, label=label or {"en": name}, recipe=recipe)
        return arms

    def _with_sources(self, recipe: Recipe) -> Recipe:
        """The recipe, told of the files that its network and remedies are from, if any is known."""
        of_remedies = {
            part: self.remedy_sources[part]
            for part in recipe.remedy.split("+") if part in self.remedy_sources
        }  # fmt: skip
        of_model = self.model_sources.get(recipe.model, "")
        if not of_remedies and not of_model:
            return recipe
        return recipe.with_(remedy_sources=of_remedies, model_source=of_model)

    def expanded_selections(self) -> list[Selection]:
        """Selections without grids, their arms resolved to names.

        Raises
        ------
        UserError: a name or pattern matches no arm.
        """
        names = list(self.expanded_arms())
        found = []
        for selection in self.selections:
            for values in combinations(selection.grid):
                patterns = [fill(pattern, values) for pattern in selection.arms]
                name = fill(selection.name, values)
                arms = _matching(names, patterns, f"selection {name!r}")
                changes = {
                    "name": name,
                    "title": self._titled(selection.title, values),
                    "arms": arms,
                    "baseline": fill(selection.baseline, values),
                    "grid": {},
                }
                found.append(selection.model_copy(update=changes))
        return found

    def expanded_confirmations(self) -> list[Confirmation]:
        """Second stages, the ranked arms resolved to names.

        Raises
        ------
        UserError: a name or pattern matches no arm.
        """
        names = list(self.expanded_arms())
        found = []
        for stage in self.confirmations:
            among = _matching(names, stage.among, f"second stage {stage.name!r}")
            found.append(stage.model_copy(update={"among": among}))
        return found

    def expanded_comparisons(self) -> list[Comparison]:
        """Comparisons as plain pairs (candidate, baseline), without grids."""
        found = []
        for comparison in self.comparisons:
            pairs: list[tuple[str, str]] = []
            for values in combinations(comparison.grid):
                pairs += [(fill(a, values), fill(b, values)) for a, b in comparison.pairs]
                if comparison.baseline is not None:
                    baseline = fill(comparison.baseline, values)
                    pairs += [(fill(c, values), baseline) for c in comparison.candidates]
            plain = {"pairs": pairs, "baseline": None, "candidates": list[str](), "grid": Grid()}
            found.append(comparison.model_copy(update=plain))
        return found

    def expanded_interactions(self) -> list[list[Interaction]]:
        """Families of interactions without grids, a family for each that the file has."""
        return [
            [
                part.model_copy(
                    update={
                        "label": self._titled(part.label, values),
                        "first": self._gain(part.first, values),
                        "second": self._gain(part.second, values),
                        "grid": Grid(),
                    }
                )
                for values in combinations(part.grid)
            ]
            for part in self.interactions
        ]

    def _gain(self, gain: Gain, values: dict[str, Any]) -> Gain:
        pair = tuple(fill(name, values) for name in gain.pair)
        return gain.model_copy(update={"pair": pair, "label": self._titled(gain.label, values)})

    def expanded_rankings(self) -> list[Ranking]:
        """Rankings without grids, every block spelt out."""
        found = []
        for ranking in self.rankings:
            blocks = [
                block.model_copy(
                    update={
                        "arms": fill(block.arms, values),
                        "label": self._titled(block.label, values),
                    }
                )
                for values in combinations(ranking.grid)
                for block in ranking.blocks
            ]
            found.append(ranking.model_copy(update={"blocks": blocks, "grid": Grid()}))
        return found

    def expanded_spreads(self) -> list[Spread]:
        """Spreads without grids, their arms resolved to names.

        Raises
        ------
        UserError: a name or pattern matches no arm.
        """
        names = list(self.expanded_arms())
        found = []
        for spread in self.spreads:
            for values in combinations(spread.grid):
                patterns = [fill(pattern, values) for pattern in spread.arms]
                changes = {
                    "title": self._titled(spread.title, values),
                    "arms": _matching(names, patterns, "a spread"),
                    "grid": Grid(),
                }
                found.append(spread.model_copy(update=changes))
        return found

    def _titled(self, text: dict[str, str], values: dict[str, Any]) -> dict[str, str]:
        """A text for readers: placeholders filled, values by the names the study gives them."""
        named = {k: self.names.get(v, v) if isinstance(v, str) else v for k, v in values.items()}
        return {language: fill(template, named) for language, template in text.items()}


def matches(name: str, pattern: str) -> bool:
    """Whether a name is meant by a name or pattern; names may have brackets in them."""
    return name == pattern or fnmatchcase(name, pattern)


def _matching(names: list[str], patterns: list[str], where: str) -> list[str]:
    """The names that some pattern means.

    Raises
    ------
    UserError: a pattern means none of them: a slip, by which an arm would go missing.
    """
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            raise UserError(
                f"{where} names {pattern!r}, which matches no arm: the arms are {', '.join(names)}"
            )
    return [name for name in names if any(matches(name, pattern) for pattern in patterns)]
