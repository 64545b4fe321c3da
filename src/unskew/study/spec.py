"""A study file: arms, what is compared with what, what is chosen, and what was published."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field, ValidationError

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
    combinations,
)
from unskew.study.text import Text, fill
from unskew.training.recipe import explain_validation, make_recipe


class Study(Part):
    """Everything a study runs and everything its report needs.

    Raises (when loaded)
    --------------------
    UserError: a key is unknown, a recipe is wrong, or a name points to no arm.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    seeds: int = Field(6, ge=1)
    data: str = "digits"
    title: Text = Field({})
    question: Text = Field({})
    names: dict[str, str] = Field({}, description="what values are called in labels and titles")
    recipe: dict[str, Any] = Field({})
    arms: list[ArmTemplate] = Field(min_length=1)
    selections: list[Selection] = Field([])
    comparisons: list[Comparison] = Field([])
    interactions: list[Interaction] = Field([])
    rankings: list[Ranking] = Field([])
    confirmations: list[Confirmation] = Field([])
    published: Published | None = None

    def override(
        self,
        *,
        data: str | None = None,
        seeds: int | None = None,
        fresh_seeds: int | None = None,
        recipe: dict[str, Any] | None = None,
    ) -> Study:
        """The study with some things replaced; None leaves them.

        Parameters
        ----------
        fresh_seeds: of second stages; 0 leaves these stages out.
        recipe: fields that every run shares from now on; a field that arms vary cannot be set.

        Raises
        ------
        UserError: a recipe no longer holds, or an arm has its own value of a field.
        """
        recipe = recipe or {}
        for template in self.arms:
            for field in recipe:
                if field in template.grid or field in template.recipe:
                    raise UserError(
                        f"{field} cannot be set for the whole study: arm {template.name!r} has "
                        "its own"
                    )
        changes: dict[str, Any] = {"recipe": {**self.recipe, **recipe}}
        if data is not None:
            # Absolute, so that the study's folder means the same from anywhere.
            path = Path(data).expanduser()
            changes["data"] = str(path.resolve()) if path.exists() else data
        if seeds is not None:
            changes["seeds"] = seeds
        if fresh_seeds is not None:
            stages = self.confirmations if fresh_seeds else []
            changes["confirmations"] = [s.model_copy(update={"seeds": fresh_seeds}) for s in stages]
        return self.model_copy(update=changes).check()

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
                fields = {**self.recipe, **template.recipe, **values, "data": self.data}
                try:
                    recipe = make_recipe(fields)
                except UserError as error:
                    raise UserError(f"arm {name!r}: {error}") from None
                label = self._titled(template.label, values)
                arms[name] = Arm(name=name, label=label or {"en": name}, recipe=recipe)
        return arms

    def expanded_selections(self) -> list[Selection]:
        """Selections without grids, their arms resolved to names."""
        names = list(self.expanded_arms())
        found = []
        for selection in self.selections:
            for values in combinations(selection.grid):
                patterns = [fill(pattern, values) for pattern in selection.arms]
                arms = [n for n in names if any(fnmatchcase(n, p) for p in patterns)]
                changes = {
                    "name": fill(selection.name, values),
                    "title": self._titled(selection.title, values),
                    "arms": arms,
                    "baseline": fill(selection.baseline, values),
                    "grid": {},
                }
                found.append(selection.model_copy(update=changes))
        return found

    def expanded_confirmations(self) -> list[Confirmation]:
        """Second stages, the ranked arms resolved to names."""
        names = list(self.expanded_arms())
        return [
            stage.model_copy(
                update={"among": [n for n in names if any(fnmatchcase(n, p) for p in stage.among)]}
            )
            for stage in self.confirmations
        ]

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

    def _titled(self, text: dict[str, str], values: dict[str, Any]) -> dict[str, str]:
        """A text for readers: placeholders filled, values by the names the study gives them."""
        named = {k: self.names.get(v, v) if isinstance(v, str) else v for k, v in values.items()}
        return {language: fill(template, named) for language, template in text.items()}

    def check(self) -> Study:
        """Whether every recipe is sound and every name points to an arm.

        Raises
        ------
        UserError: the first fault, by name.
        """
        arms = self.expanded_arms()
        used: list[tuple[str, str]] = []
        for selection in self.expanded_selections():
            if not selection.arms:
                raise UserError(f"selection {selection.name!r} matches no arm")
            used += [(f"selection {selection.name!r}", selection.baseline)]
        for comparison in self.expanded_comparisons():
            used += [("a comparison", name) for pair in comparison.pairs for name in pair]
        for family in self.expanded_interactions():
            for part in family:
                used += [("an interaction", n) for n in (*part.first.pair, *part.second.pair)]
        for ranking in self.expanded_rankings():
            patterns = ", ".join(block.arms for block in ranking.blocks)
            if len({block.arms for block in ranking.blocks}) < 2:
                raise UserError(f"a ranking takes two blocks or more, and has {patterns}")
            if len(ranking.treatments(list(arms))) < 2:
                raise UserError(f"a ranking's blocks share fewer than two treatments: {patterns}")
        for stage in self.expanded_confirmations():
            if len(stage.among) < stage.best:
                raise UserError(
                    f"second stage {stage.name!r} takes the best {stage.best} of "
                    f"{len(stage.among)} arms: name more in among, or lower best"
                )
            used += [(f"second stage {stage.name!r}", n) for n in (stage.baseline, *stage.always)]
        if self.published:
            used += [("a published figure", figure.arm) for figure in self.published.figures]
            for claim in self.published.claims:
                used += [("a claim", name) for name in (claim.arm, claim.than) if name]
        for where, name in used:
            if name not in arms:
                raise UserError(f"{where} names {name!r}, but the arms are {', '.join(arms)}")
        return self

    def to_toml(self) -> str:
        """The study as TOML."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_toml(cls, text: str, where: str) -> Study:
        """Read a study; `where` names it in messages.

        Raises
        ------
        UserError: see the class.
        """
        try:
            return cls.model_validate(tomllib.loads(text)).check()
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{where} is not valid TOML: {error}") from None
        except ValidationError as error:
            raise UserError(f"{where}: {explain_validation(error)}") from None
        except UserError as error:
            raise UserError(f"{where}: {error}") from None

    @classmethod
    def load(cls, name: str) -> Study:
        """A study shipped with the package by its name, or a study file by its path.

        Raises
        ------
        UserError: there is none of this name, or it is wrong.
        """
        shipped = shipped_studies()
        path = shipped.get(name, Path(name))
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError):
            raise UserError(
                f"no study {name!r}: give a .toml file or one of {', '.join(shipped)}"
            ) from None


def shipped_studies() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    here = Path(__file__).resolve().parents[1]
    # In a checkout they stand beside src; an installed package carries them inside.
    for folder in (here / "studies", here.parents[1] / "studies"):
        found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
        if found:
            return found
    return {}
