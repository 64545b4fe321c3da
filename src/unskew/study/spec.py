"""A study file: arms, what is compared with what, what is chosen, and what was published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from unskew.errors import UserError
from unskew.study.metrics import check_figures
from unskew.study.outline import Outline
from unskew.study.parts import Arm, Comparison, Interaction, Ranking
from unskew.training.files import parse_toml, reading
from unskew.training.recipe import explain_validation

STUDY = "study.toml"
"""A study in the folder that it writes."""


class Study(Outline):
    """Everything a study runs and everything its report needs.

    Raises (when loaded)
    --------------------
    UserError: a key is unknown, a recipe is wrong, or a name points to no arm.
    """

    def override(
        self,
        *,
        data: str | None = None,
        seeds: int | None = None,
        fresh_seeds: int | None = None,
        subset_per_seed: bool | None = None,
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
        if subset_per_seed is not None:
            changes["subset_per_seed"] = subset_per_seed
        if fresh_seeds is not None:
            stages = self.confirmations if fresh_seeds else []
            changes["confirmations"] = [s.model_copy(update={"seeds": fresh_seeds}) for s in stages]
        return self.model_copy(update=changes).check()

    def check(self) -> Study:
        """Whether every recipe is sound and every name points to an arm.

        Raises
        ------
        UserError: the first fault, by name.
        """
        arms = self.expanded_arms()
        if not arms:
            raise UserError("the study has no arm: no list of a grid may be empty")
        check_figures(self)
        used: list[tuple[str, str]] = []
        families: list[Comparison | Interaction | Ranking]
        families = [*self.comparisons, *self.interactions, *self.rankings]
        for family in families:
            self._check_title(family)
        held_out: dict[str, float] = {}
        for selection in self.expanded_selections():
            if not selection.arms:
                raise UserError(f"selection {selection.name!r} matches no arm")
            used += [(f"selection {selection.name!r}", selection.baseline)]
            for name in selection.arms:
                # An arm has one set of runs for its choices.
                if held_out.setdefault(name, selection.validation) != selection.validation:
                    raise UserError(
                        f"arm {name!r} is in selections that hold out {held_out[name]:g} and "
                        f"{selection.validation:g}: give both the same validation"
                    )
        for comparison in self.expanded_comparisons():
            used += [("a comparison", name) for pair in comparison.pairs for name in pair]
        for interactions in self.expanded_interactions():
            self._check_labels(interactions)
            for part in interactions:
                used += [("an interaction", n) for n in (*part.first.pair, *part.second.pair)]
        for ranking in self.expanded_rankings():
            patterns = ", ".join(block.arms for block in ranking.blocks)
            if len({block.arms for block in ranking.blocks}) < 2:
                raise UserError(f"a ranking takes two blocks or more, and has {patterns}")
            if len(ranking.treatments(list(arms))) < 2:
                raise UserError(f"a ranking's blocks share fewer than two treatments: {patterns}")
        if self.spreads and self.subset_per_seed:
            raise UserError(
                "a spread tells what subsets move apart from what seeds move: drop subset_per_seed"
            )
        for spread in self.expanded_spreads():
            if len(spread.arms) < 2:
                raise UserError(f"a spread takes two arms or more, and has {len(spread.arms)}")
        skewed_test = any(arm.recipe.test_skew is not None for arm in arms.values())
        if self.confirmations and self.subset_per_seed and skewed_test:
            raise UserError(
                "each seed would draw its own test images, and some that choose an arm would judge "
                "it in the second stage: drop subset_per_seed, test_skew or the second stage"
            )
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
        self._check_judged_alike(arms)
        return self

    def _check_labels(self, family: list[Interaction]) -> None:
        """The interactions of a family are told apart by their labels, and by nothing else."""
        for language in family[0].label if family else ():
            labels = [part.label[language] for part in family]
            twice = next((label for label in labels if labels.count(label) > 1), None)
            if twice is not None:
                raise UserError(
                    f"two interactions are called {twice!r}: tell them apart by their grid"
                )
            for gains in ([part.first for part in family], [part.second for part in family]):
                if len({gain.label.get(language) for gain in gains}) > 1:
                    raise UserError(
                        "the circumstances of an interaction are those of its whole grid: leave "
                        f"its fields out of {gains[0].label[language]!r}"
                    )

    def _check_judged_alike(self, arms: dict[str, Arm]) -> None:
        """What is compared is judged by the same test images."""
        together = [list(pair) for c in self.expanded_comparisons() for pair in c.pairs]
        together += [[*s.arms, s.baseline] for s in self.expanded_selections()]
        together += [[s.baseline, *s.always, *s.among] for s in self.expanded_confirmations()]
        together += [
            [*p.first.pair, *p.second.pair] for f in self.expanded_interactions() for p in f
        ]
        together += [spread.arms for spread in self.expanded_spreads()]
        claims = self.published.claims if self.published else []
        together += [[c.arm, c.than] for c in claims if c.arm and c.than]
        for ranking in self.expanded_rankings():
            for block in ranking.blocks:
                together.append([name for name in arms if block.treatment(name)])
        for names in filter(None, together):
            first = names[0]
            for name in names[1:]:
                if arms[name].recipe.test_skew != arms[first].recipe.test_skew:
                    raise UserError(
                        f"arms {first!r} and {name!r} are judged by different test images, so they "
                        "cannot be compared: give both the same test_skew"
                    )

    def _check_title(self, family: Comparison | Interaction | Ranking) -> None:
        """A family has one title, whatever its grid."""
        for title in family.title.values():
            for field in family.grid:
                if "{" + field + "}" in title:
                    raise UserError(
                        f"the title {title!r} names a field of its grid, and all combinations are "
                        f"one family with one title: leave {{{field}}} out of it"
                    )

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
            values = parse_toml(text)
        except ValueError as error:
            raise UserError(f"{where} is not valid TOML: {error}") from None
        try:
            return cls.model_validate(values).check()
        except ValidationError as error:
            raise UserError(f"{where}: {explain_validation(error)}") from None
        except OverflowError:
            raise UserError(f"{where}: a number is too large to be named") from None
        except UserError as error:
            raise UserError(f"{where}: {error}") from None

    @classmethod
    def of_folder(cls, out: Path) -> Study:
        """The study that the folder `out` was written by.

        Raises
        ------
        UserError: its file is missing, damaged or wrong.
        """
        path = out / STUDY
        with reading(path, "name another folder, or put the file back"):
            text = path.read_text(encoding="utf-8")
        return cls.from_toml(text, str(path))

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
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(
                f"no study {name!r}: give a .toml file or one of {', '.join(shipped)}"
            ) from None
        except OSError as error:
            raise UserError(f"cannot read the study {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"{path} is no text in UTF-8: save it as that") from None
        return cls.from_toml(text, str(path))


def shipped_studies() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    here = Path(__file__).resolve().parents[1]
    # In a checkout they stand beside src; an installed package carries them inside.
    for folder in (here / "studies", here.parents[1] / "studies"):
        found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
        if found:
            return found
    return {}
