"""What one training run does, complete and immutable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unskew.data.skew import Skew, describe_skew
from unskew.errors import UserError, nearest
from unskew.training.only_with import ONLY_WITH, acts
from unskew.training.presets import preset
from unskew.training.settings import parse_file, read_file

SEEDS = 2**32
"""Seeds are below it, as everywhere in NumPy and scikit-learn."""

LONGEST = 10**6
"""Epochs; of more there would not be room for the history."""

REVISED = {"glmc": 2, "influence_balanced": 3}
"""Remedies that do something else than they did: what they were run with before is another run.

Not here are those that changed only where hardly a run is: `seql` and `imbalanced_sam` where a
class has no image at all, `temperature_scaling` where it is `balanced` and stands beside a prior
correction and where every held-out image is classified right. To name them would make runs stale
that came out the same. Nor are two-stage remedies in runs of fewer than 100 steps, whose second
stage begins with statistics gathered anew.
"""

Options = dict[str, bool | int | float | str | tuple[int, ...] | tuple[float, ...]]


class Recipe(BaseModel):
    """One training run, fully determined by these fields.

    Frozen, checked at construction (unknown fields are errors), the same from Python, TOML and
    the command line. Two recipes with the same fields have the same `digest`, which names the run;
    options of remedies and networks count as they are written, a default one too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # What is shown
    data: str = Field("digits", description="name of a known data set, a folder or an archive")
    fingerprint: str = Field("", description="of the opened data; filled in when it is opened")
    skew: Annotated[Skew, Field(discriminator="profile")] | None = None
    test_skew: Annotated[Skew, Field(discriminator="profile")] | None = None
    subset_seed: int = Field(
        0, ge=0, lt=SEEDS, description="which images a skew keeps, which are held out"
    )
    validation: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the training images held out, stratified; where it is not 0 the "
        "run is evaluated on them and the test images are never touched",
    )
    augmentation: Literal["none", "flip", "flip_crop", "flip_translate"] = "flip"
    alternate_flips: bool = Field(
        False, description="flip each image in every other epoch instead of by chance"
    )
    drop_last: bool = Field(False, description="leave out an epoch's last batch if it is not full")

    # What is trained
    model: str = "cnn"
    model_options: Options = {}
    model_source: str = Field(
        "",
        description="of a network that is not the package's own: digest of the file that defines "
        "it; filled in when that is loaded",
    )
    remedy: str = Field("none", description="names joined by +, as in cutmix+balanced_softmax")
    remedy_options: dict[str, Options] = {}
    remedy_sources: dict[str, str] = Field(
        {},
        description="the same of remedies, by their names",
    )

    # How
    epochs: int = Field(5, ge=1, le=LONGEST)
    max_steps: int | None = Field(None, ge=1, description="stop after so many steps, if given")
    batch_size: int = Field(100, ge=2)
    optimizer: Literal["sgd", "adamw", "muon"] = Field(
        "sgd", description="muon: orthogonalised momentum for filters, sgd for all else"
    )
    learning_rate: float = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    filter_learning_rate: float = Field(0.24, gt=0, description="muon: of the filters")
    filter_momentum: float = Field(0.6, ge=0, lt=1, description="muon: of the filters")
    bias_learning_rate: float | None = Field(
        None,
        gt=0,
        description="of biases and norm layers before the classifier; learning_rate if not given",
    )
    stem_epochs: int | None = Field(
        None,
        ge=1,
        le=LONGEST,
        description="a whitening layer's bias trains in the first so many epochs of a stage, its "
        "rate falling linearly; as all else if not given",
    )
    weight_decay: float = Field(0.0, ge=0, description="λ of L + (λ/2)·‖W‖²")
    decay: Literal["all", "weights"] = Field(
        "all", description="all: every parameter; weights: norm layers and biases excluded"
    )
    decoupled_decay: bool = Field(
        False,
        description="λ is a share of a weight a step, times the schedule, at any rate; "
        "momentum multiplies it as it does a gradient",
    )
    schedule: Literal["constant", "step", "cosine", "one_cycle", "triangle"] = "constant"
    warmup_epochs: int = Field(
        0, ge=0, le=LONGEST, description="linear, from near 0, before the schedule"
    )
    milestones: tuple[Annotated[int, Field(le=LONGEST)], ...] = Field(
        (), description="step: after which epochs the rate drops"
    )
    drop: float = Field(0.1, gt=0, le=1, description="step: factor on the rate at a milestone")
    rise: float = Field(0.0, ge=0, lt=1, description="triangle: share of the steps that rise")
    rise_from: float = Field(0.2, ge=0, le=1, description="triangle: share of the rate at first")
    fall_to: float = Field(0.0, ge=0, le=1, description="triangle: share of the rate at last")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the processor multiplies in it, else float32"
    )
    kernels: Literal["auto", "off"] = Field(
        "auto", description="off: PyTorch's operators alone, where this package has faster ones"
    )
    seed: int = Field(
        0, ge=0, lt=SEEDS, description="initial weights, order of images, augmentation"
    )

    # How it is judged
    test_views: Literal["one", "flip", "flip_translate"] = Field(
        "one", description="the trained network's logits are the mean over so many views"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        for field, (others, _) in ONLY_WITH.items():
            differs = getattr(self, field) != type(self).model_fields[field].default
            if differs and not acts(self, field):
                raise ValueError(f"{field} only acts with {others}")
        if self.schedule == "step" and not self.milestones:
            raise ValueError("schedule = 'step' needs milestones, the epochs after which it drops")
        # One beyond the last epoch is let be: it stands in a recipe that is run for fewer.
        if any(milestone < 1 for milestone in self.milestones):
            raise ValueError(
                f"milestones = {list(self.milestones)}: the rate drops after an epoch, so choose 1 "
                "or more"
            )
        if self.warmup_epochs and self.schedule in ("one_cycle", "triangle"):
            raise ValueError(
                f"schedule = {self.schedule!r} rises by itself: leave warmup_epochs out"
            )
        return self

    @property
    def digest(self) -> str:
        """12 hex digits over everything that determines the run.

        Where the data have been opened, their fingerprint counts and the path does not: the
        same images read from another place are the same run. Only what differs from the
        defaults counts, so a setting that is added later leaves the names of old runs alone.
        """
        content = self.model_dump(mode="json", exclude_defaults=True)
        if self.fingerprint:
            content.pop("data", None)
        parts = self.remedy.split("+")
        # Of a twin, or a part, only what it has itself.
        content.pop("remedy_sources", None)
        sources = {name: self.remedy_sources[name] for name in parts if name in self.remedy_sources}
        if sources:
            content["remedy_sources"] = sources
        revised = {name: REVISED[name] for name in parts if name in REVISED}
        if revised:
            content["revised"] = revised
        text = json.dumps(content, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()

    @property
    def run_id(self) -> str:
        """Name of the run's folder: readable first, unique by the digest at its end."""
        decay = f"wd{self.weight_decay:g}"
        parts = [self.model, describe_skew(self.skew), self.remedy, decay]
        if self.validation:
            parts.append("val")
        parts += [f"s{self.seed}", self.digest]
        return "-".join(part.replace("+", "_") for part in parts)

    def with_(self, **changes: Any) -> Recipe:
        """A checked copy with some fields replaced.

        Raises
        ------
        UserError: a field is unknown or its value is out of range.
        """
        return make_recipe({**self.model_dump(), **changes})

    def to_toml(self) -> str:
        """The recipe as TOML; fields that are None are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_toml(cls, text: str) -> Recipe:
        """Read what `to_toml` wrote.

        Raises
        ------
        UserError: not TOML, or a field is unknown or out of range.
        """
        try:
            return make_recipe(parse_file(text))
        except ValueError as error:
            raise UserError(f"the recipe is not valid TOML: {error}") from None

    @classmethod
    def load(cls, source: Path | str, **changes: Any) -> Recipe:
        """A recipe that comes with the package, by its name, or a recipe file, by its path.

        Parameters
        ----------
        changes: fields that replace the recipe's own.

        Raises
        ------
        UserError: no such recipe or file, not TOML, or a field is unknown or out of range.
        """
        path = Path(source)
        try:
            named = path.suffix != ".toml" and not path.is_file()
        except OSError as error:  # no name of a file, nor of a recipe
            raise UserError(f"cannot read the recipe {path}: {error.strerror}") from None
        if named:
            return make_recipe({"base": str(source), **changes})
        try:
            fields = parse_file(read_file(path))
            return make_recipe({**fields, **changes})
        except OSError as error:
            raise UserError(f"cannot read the recipe {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"{path}: the recipe is no text in UTF-8: save it as that") from None
        except ValueError as error:
            raise UserError(f"{path}: the recipe is not valid TOML: {error}") from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def make_recipe(fields: dict[str, Any]) -> Recipe:
    """A recipe from plain values, with one clear sentence for the first thing that is wrong.

    Parameters
    ----------
    fields: of `Recipe`; beside them `base`, the name of a recipe that comes with the package and
        has every field that is not given here.

    Raises
    ------
    UserError: a field or the base is unknown, or a field's value is out of range.
    """
    if "base" in fields:
        fields = {**preset(fields["base"]), **fields}
        del fields["base"]
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise UserError(explain_validation(error, Recipe.model_fields)) from None


def explain_validation(error: ValidationError, known: Iterable[str] = ()) -> str:
    """The first of pydantic's complaints as a sentence that names field, value and mend.

    Parameters
    ----------
    known: fields that an unknown one may be a misspelling of.
    """
    first = error.errors()[0]
    place = first["loc"]
    deep = {"model_options": 2, "remedy_options": 3}.get(str(place[0]) if place else "", 0)
    if 0 < deep < len(place):
        # Each type that an option may have complains of its own; what they are called is ours.
        named = ".".join(str(part) for part in place[:deep])
        return (
            f"{named} = {first.get('input')!r}: an option is a finite number, a word, true or "
            "false, or a list of numbers"
        )
    where = ".".join(str(part) for part in place) or "the recipe"
    if first["type"] == "extra_forbidden":
        near = nearest(where, known)
        mend = f"did you mean {near!r}?" if near else "check its spelling"
        return f"unknown setting {where!r}: {mend}"
    if first["type"] == "value_error":
        return str(first["msg"]).removeprefix("Value error, ")
    value = first.get("input")
    shown = f" = {value!r}" if isinstance(value, str | int | float | bool) else ""
    message = str(first["msg"])
    return f"{where}{shown}: {message[0].lower()}{message[1:]}"
