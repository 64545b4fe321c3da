"""A study file: arms, what is compared with what, what is chosen, and what was published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from unskew.data.sources import KNOWN
from unskew.errors import UserError
from unskew.study.checks import check_size, check_study
from unskew.study.outline import Outline
from unskew.training.files import reading
from unskew.training.recipe import explain_validation
from unskew.training.settings import parse_file, read_file

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
        UserError: a recipe no longer holds, an arm has its own value of a field, or `data` names
            the home of nobody.
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
            changes["data"] = _placed(data)
        for asked, of, least in ((seeds, "seeds", 1), (fresh_seeds, "fresh_seeds", 0)):
            if asked is not None and asked < least:
                raise UserError(f"{of} = {asked}, but it must be {least} at least")
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
        check_study(self)
        return self

    def to_toml(self) -> str:
        """The study as TOML."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_toml(cls, text: str, where: str, *, check: bool = True) -> Study:
        """Read a study; `where` names it in messages.

        Parameters
        ----------
        check: all of it; else its arms alone, which tell what a folder's runs are.

        Raises
        ------
        UserError: see the class.
        """
        try:
            values = parse_file(text)
        except ValueError as error:
            raise UserError(f"{where} is not valid TOML: {error}") from None
        try:
            study = cls.model_validate(values)
            if check:
                return study.check()
            check_size(study)
            study.expanded_arms()
            return study
        except ValidationError as error:
            raise UserError(f"{where}: {explain_validation(error)}") from None
        except OverflowError:
            raise UserError(f"{where}: a number is too large to be named") from None
        except UserError as error:
            raise UserError(f"{where}: {error}") from None

    @classmethod
    def of_folder(cls, out: Path, *, check: bool = True) -> Study:
        """The study that the folder `out` was written by.

        Parameters
        ----------
        check: see `from_toml`.

        Raises
        ------
        UserError: its file is missing, damaged or wrong.
        """
        path = out / STUDY
        with reading(path, "name another folder, or put the file back"):
            text = path.read_text(encoding="utf-8")
        return cls.from_toml(text, str(path), check=check)

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
            text = read_file(path)
        except FileNotFoundError:
            raise UserError(
                f"no study {name!r}: give a .toml file or one of {', '.join(shipped)}"
            ) from None
        except OSError as error:
            raise UserError(f"cannot read the study {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"{path} is no text in UTF-8: save it as that") from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        return cls.from_toml(text, str(path))


def _placed(data: str) -> str:
    """Data as a study names them: a path absolute, so that its folder means the same from anywhere.

    A known name stays one, whatever lies beside: `open_data` takes it so too.
    """
    if data in KNOWN:
        return data
    try:
        path = Path(data).expanduser()
        return str(path.resolve()) if path.exists() else data
    except RuntimeError:  # of "~somebody"
        raise UserError(f"{data!r} names the home of somebody who is not known here") from None
    except OSError:  # no path at all, or one that may not be looked at: said when it is opened
        return data


def shipped_studies() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    here = Path(__file__).resolve().parents[1]
    # In a checkout they stand beside src; an installed package carries them inside.
    for folder in (here / "studies", here.parents[1] / "studies"):
        found = {path.stem: path for path in sorted(folder.glob("*.toml"))}
        if found:
            return found
    return {}
