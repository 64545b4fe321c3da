"""Several studies to one ranking: what each arm is worth whatever the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from unskew.data.names import readable
from unskew.errors import UserError
from unskew.report.ranked import Place, Ranked, rank_places
from unskew.study.checks import judged_by
from unskew.study.parts import RankedBlock
from unskew.study.results import StudyResults, load_results
from unskew.study.text import Text

OWN = frozenset({"data", "fingerprint", "seed", "subset_seed", "skew", "validation"})
"""Fields of a recipe in which blocks may differ without a word."""


@dataclass(frozen=True)
class Across:
    """A ranking over studies, and what it was made of.

    Attributes
    ----------
    ranked: the ranking.
    folders: where the studies lie, and studies: what they found, in one order.
    differing: fields of a recipe, beside the data and its skew, in which arms that stand for one
        treatment are not alike.
    """

    ranked: Ranked
    folders: tuple[Path, ...]
    studies: tuple[StudyResults, ...]
    differing: tuple[str, ...]


def rank_studies(
    folders: Sequence[Path],
    *,
    arms: Sequence[str] = ("*",),
    metric: str = "balanced_accuracy",
) -> Across:
    """Rank what several studies have in common; each of them and each pattern make one block.

    Parameters
    ----------
    folders: that `unskew study` wrote, finished or not.
    arms: patterns of arms with one `*`, which stands for the treatment: "step-*".
    metric: by which they are ranked, as a mean over seeds.

    Raises
    ------
    UserError: a folder is no study's or is named twice, a pattern has not one `*`, there are
        fewer than two blocks, no two treatments that all blocks have, two in one block that are
        judged by different test images, or two blocks that hold the same runs.
    """
    resolved = [folder.resolve() for folder in folders]
    twice = [str(f) for f, n in zip(folders, map(resolved.count, resolved), strict=True) if n > 1]
    if twice:
        raise UserError(f"{twice[0]} is named twice: one study can be a block only once")
    for pattern in arms:
        if pattern.count("*") != 1:
            raise UserError(f"--arms {pattern!r} needs one *, which stands for the treatment")
    if len(folders) * len(set(arms)) < 2:
        raise UserError(
            "a ranking needs two blocks: name the folders of several studies, or several --arms"
        )
    studies = tuple(load_results(folder) for folder in folders)
    labels = _labels(folders, studies)
    places = [
        Place(_label(label, pattern, len(set(arms))), RankedBlock(arms=pattern), study.arms,
              study.data.fingerprint)
        for label, study in zip(labels, studies, strict=True)
        for pattern in dict.fromkeys(arms)
    ]  # fmt: skip
    treatments = _treatments(places, studies[0])
    if len(treatments) < 2:
        raise UserError(
            "these studies have no two arms in common to rank: run the same study file on each "
            "data set, or say with --arms which arms stand for which treatments"
        )
    of_places = [folder for folder in folders for _ in dict.fromkeys(arms)]
    for folder, place in zip(of_places, places, strict=True):
        _check_judged_alike(folder, place, list(treatments))
    _check_no_block_twice(of_places, places, list(treatments))
    ranked = rank_places({}, metric, treatments, places)
    if not any(arm.metric(metric) for place in places for arm in place.treatments().values()):
        raise UserError(f"no finished run of these arms has the figure {metric!r}")
    return Across(ranked, tuple(folders), studies, _differing(places, list(treatments)))


def _labels(folders: Sequence[Path], studies: Sequence[StudyResults]) -> list[str]:
    """The data set's name, and the folder's where two have one name."""
    names = [study.data.name for study in studies]
    count = Counter(names)
    return [
        name if count[name] == 1 else f"{name} ({readable(str(folder))})"
        for name, folder in zip(names, folders, strict=True)
    ]


def _label(label: str, pattern: str, patterns: int) -> Text:
    return {"en": label if patterns == 1 else f"{label}, {pattern}"}


def _treatments(places: list[Place], first: StudyResults) -> dict[str, Text]:
    """Labels of the treatments that every place has."""
    found = [place.treatments() for place in places]
    names = first.study.names
    whole = all(place.block.arms == "*" for place in places)
    return {
        name: arm.arm.label if whole else {"en": names.get(name, name)}
        for name, arm in found[0].items()
        if all(name in block for block in found)
    }


def _check_judged_alike(folder: Path, place: Place, treatments: list[str]) -> None:
    """As `Study.check` does of a study's own rankings."""
    ranked = [place.treatments()[treatment].arm for treatment in treatments]
    for arm in ranked[1:]:
        if judged_by(arm.recipe) != judged_by(ranked[0].recipe):
            raise UserError(
                f"{folder}: arms {ranked[0].name!r} and {arm.name!r} are judged by different test "
                "images, so they cannot be ranked in one block: name with --arms those of one "
                "test_skew and, with one, subset_seed"
            )


def _check_no_block_twice(
    folders: Sequence[Path], places: list[Place], treatments: list[str]
) -> None:
    """A study that was copied, or run again on the same images, is no second witness."""
    runs = [
        [{run.recipe.run_id for run in arms[name].runs.values()} for name in treatments]
        for arms in (place.treatments() for place in places)
    ]
    for (one, ours), (other, theirs) in combinations(enumerate(runs), 2):
        # Where a treatment has no run yet in one of them, it cannot tell.
        both = [bool(a & b) for a, b in zip(ours, theirs, strict=True) if a and b]
        if both and (all(both) or sum(both) >= 2):
            raise UserError(
                f"{folders[one]} and {folders[other]} hold the same runs of two treatments or "
                "more, of one recipe and seed on the same images: they are one block and not two, "
                "so name one of them, or fewer --arms"
            )


def _differing(places: list[Place], treatments: list[str]) -> tuple[str, ...]:
    found: set[str] = set()
    by_place = [place.treatments() for place in places]
    for treatment in treatments:
        recipes = [arms[treatment].arm.recipe.model_dump(mode="json") for arms in by_place]
        fields = set().union(*recipes) - OWN
        found |= {f for f in fields if any(r.get(f) != recipes[0].get(f) for r in recipes)}
    return tuple(sorted(found))
