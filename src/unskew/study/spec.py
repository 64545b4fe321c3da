"""A study file: arms, what is compared with what, what is chosen, and what was published."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unskew.errors import UserError
from unskew.study.text import Text, fill
from unskew.training.recipe import Recipe, explain_validation, make_recipe

Grid = dict[str, list[Any]]
"""Recipe fields and the values they take; every combination is one arm, selection or block."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArmTemplate(_Part):
    """One arm, or one for every combination of `grid`."""

    name: str
    label: Text = {}
    grid: Grid = {}
    recipe: dict[str, Any] = {}


class Selection(_Part):
    """A setting chosen among arms by a validation split of the training images.

    Attributes
    ----------
    arms: names or patterns of the candidates.
    baseline: the candidate that stands for "no remedy".
    field: the recipe field in which they differ.
    metric: what is maximised, as a mean over seeds.
    validation: share of the training images held out, stratified.
    """

    name: str
    title: Text = {}
    grid: Grid = {}
    arms: list[str]
    baseline: str
    field: str
    metric: str = "balanced_accuracy"
    validation: float = Field(0.1, gt=0, lt=1)


class Comparison(_Part):
    """Paired differences over seeds, one family for Holm's correction.

    Give either `pairs` of [candidate, baseline], or one `baseline` and its `candidates`.
    """

    title: Text = {}
    metric: str = "balanced_accuracy"
    grid: Grid = {}
    pairs: list[tuple[str, str]] = []
    baseline: str | None = None
    candidates: list[str] = []

    @model_validator(mode="after")
    def _either(self) -> Comparison:
        if bool(self.pairs) == bool(self.candidates) or bool(self.candidates) != bool(
            self.baseline
        ):
            raise ValueError("a comparison has either pairs, or a baseline and its candidates")
        return self


class Confirmation(_Part):
    """A second stage: the best of many arms run again with fresh seeds.

    The best of many arms owes part of its lead to luck. So the first stage is judged by one
    half of the test images, divided by class, and the second by the other half and with seeds
    of its own: what is reported has had no part in the choice.

    Attributes
    ----------
    baseline: the arm that all others are compared with.
    always: names of arms that are run again whatever their rank; the baseline is one of them.
    among: names or patterns of the arms that are ranked.
    best: how many of them go on. Arms that predict the same throughout count as one.
    metric: what they are ranked by, as a mean over the first stage's seeds.
    seeds: how many fresh ones.
    """

    name: str
    title: Text = {}
    baseline: str
    always: list[str] = []
    among: list[str]
    best: int = Field(5, ge=1)
    metric: str = "balanced_accuracy"
    seeds: int = Field(8, ge=1)


class PublishedFigure(_Part):
    """A figure somebody has published for an arm."""

    arm: str
    metric: str
    value: float


class Claim(_Part):
    """A published sentence, and how to hold it against what is measured.

    With `selection`: the value chosen there is `value`, or the chosen arm gains between `low`
    and `high` in `metric` over the selection's baseline. With `arm`: the arm's mean `metric`
    lies within `low` and `high`. With `arm` and `than`: the arm exceeds the other by at least
    `low`. `follows` says what it means if the claim holds, `fails` if it does not.
    """

    text: Text
    selection: str | None = None
    arm: str | None = None
    than: str | None = None
    metric: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    follows: Text = {}
    fails: Text = {}


class Published(_Part):
    """Figures and claims to print beside the measured ones, and where they are from."""

    source: str
    data: str = Field("", description="the data they were measured on")
    figures: list[PublishedFigure] = []
    claims: list[Claim] = []


class Arm(_Part):
    """One arm, expanded: a recipe without a seed of its own."""

    name: str
    label: Text
    recipe: Recipe


class Study(_Part):
    """Everything a study runs and everything its report needs.

    Raises (when loaded)
    --------------------
    UserError: a key is unknown, a recipe is wrong, or a name points to no arm.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    seeds: int = Field(6, ge=1)
    data: str = "digits"
    title: Text = {}
    question: Text = {}
    names: dict[str, str] = Field({}, description="what values are called in labels and titles")
    recipe: dict[str, Any] = {}
    arms: list[ArmTemplate] = Field(min_length=1)
    selections: list[Selection] = []
    comparisons: list[Comparison] = []
    confirmations: list[Confirmation] = []
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


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """Every combination of a grid's values; one empty one for an empty grid."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def shipped_studies() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    here = Path(__file__).resolve().parents[1]
    # In a checkout they stand beside src; an installed package carries them inside.
    for folder in (here / "studies", here.parents[1] / "studies"):
        found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
        if found:
            return found
    return {}
