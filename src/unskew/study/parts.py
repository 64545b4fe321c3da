"""What a study file is made of: arms, selections, comparisons, second stages, published figures."""

from __future__ import annotations

from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from unskew.study.text import Text
from unskew.training.recipe import Recipe

Grid = dict[str, list[Any]]
"""Recipe fields and the values they take; every combination is one arm, selection or block."""

FIRST_FRESH_SEED = 1000
"""Second stages count their seeds from here, beyond any that a first stage has used."""


class Part(BaseModel):
    """Frozen, and no key goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArmTemplate(Part):
    """One arm, or one for every combination of `grid`."""

    name: str
    label: Text = {}
    grid: Grid = {}
    recipe: dict[str, Any] = {}


class Selection(Part):
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


class Comparison(Part):
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


class Gain(Part):
    """How much one arm exceeds another, and in what circumstances, in words.

    Attributes
    ----------
    pair: names of [candidate, baseline].
    label: the circumstances: "with plain logits".
    """

    pair: tuple[str, str]
    label: Text


class Interaction(Part):
    """Whether a gain is larger in some circumstances than in others, paired over seeds.

    What is measured is the difference of two differences, `first` minus `second`. All those of
    one grid are one family for Holm's correction.

    Attributes
    ----------
    label: what gains, in words: "λ = 1e-3".
    """

    title: Text = {}
    metric: str = "balanced_accuracy"
    grid: Grid = {}
    label: Text
    first: Gain
    second: Gain


class Confirmation(Part):
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


class RankedBlock(Part):
    """Arms that stand for the same treatments as those of other blocks.

    Attributes
    ----------
    arms: a pattern with one `*`, which stands for the treatment: "step-*".
    label: the block in words; the pattern if it has none.
    """

    arms: str = Field(pattern=r"^[^*]*\*[^*]*$")
    label: Text = {}

    def treatment(self, arm: str) -> str | None:
        """What `*` stands for in an arm's name; None if the name does not match."""
        before, after = self.arms.split("*")
        fits = arm.startswith(before) and arm.endswith(after)
        inside = arm[len(before) : len(arm) - len(after)]
        return inside if fits and inside else None


class Ranking(Part):
    """Treatments ranked within each block, and by their mean ranks over all blocks.

    Attributes
    ----------
    blocks: two or more; with a grid, each once for every combination. What is ranked is what
        every block has.
    label: a treatment in words, from its name in `{treatment}`.
    metric: what they are ranked by, as a mean over seeds.
    """

    title: Text = {}
    metric: str = "balanced_accuracy"
    grid: Grid = {}
    blocks: list[RankedBlock] = Field(min_length=1)
    label: Text = {"en": "{treatment}"}

    def treatments(self, arms: list[str]) -> dict[str, tuple[str, ...]]:
        """By treatment, its arm in each block of an expanded ranking, in the arms' order."""
        found = [
            {treatment: arm for arm in arms if (treatment := block.treatment(arm))}
            for block in self.blocks
        ]
        common = [name for name in found[0] if all(name in block for block in found)]
        return {name: tuple(block[name] for block in found) for name in common}


class Spread(Part):
    """How far results move by two kinds of chance: one that tells arms apart, and the seed.

    Attributes
    ----------
    arms: names or patterns of arms that are alike but for one thing left to chance, such as
        which images a skew keeps (`subset_seed`). All of them run with the same seeds.
    source: what tells the arms apart, in words: "which images are kept".
    """

    title: Text = {}
    metric: str = "balanced_accuracy"
    grid: Grid = {}
    arms: list[str]
    source: Text


class PublishedFigure(Part):
    """A figure somebody has published for an arm."""

    arm: str
    metric: str
    value: float


class Claim(Part):
    """A published sentence, and how to hold it against what is measured.

    With `selection`: the value chosen there is `value`, or the chosen arm gains between `low`
    and `high` in `metric` over the selection's baseline. With `arm`: the arm's mean `metric`
    lies within `low` and `high`. With `arm` and `than`: the arm exceeds the other by at least
    `low`. A figure's claim holds where its whole interval lies within the bounds and fails where
    none of it does; else it is open. `follows` says what it means if the claim holds, `fails` if
    it does not.
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


class Published(Part):
    """Figures and claims to print beside the measured ones, and where they are from."""

    source: str
    data: str = Field("", description="the data they were measured on")
    figures: list[PublishedFigure] = []
    claims: list[Claim] = []


class Arm(Part):
    """One arm, expanded: a recipe without a seed of its own."""

    name: str
    label: Text
    recipe: Recipe


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """Every combination of a grid's values; one empty one for an empty grid."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
