"""Which arms a second stage runs again, decided on half of the test images."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from unskew.data.split import stratified_split
from unskew.errors import UserError
from unskew.evaluation.conventions import DECIMALS
from unskew.evaluation.evaluation import Evaluation, evaluate_logits
from unskew.evaluation.groups import classes_of
from unskew.study.parts import Confirmation
from unskew.study.plan import PlannedRun
from unskew.training.files import RUN_AGAIN, read_json, reading, write_whole, writing
from unskew.training.outcome import FINISHED, load_evaluation, load_outcome

Half = Literal["screening", "confirmation"]
"""The half of the test images that the first stage is ranked by, and the other one."""

SPLIT_SEED = 0
"""Divides the test images; the same halves for every study of the same data."""

SHORTLISTS, LOGITS = "shortlists.json", "logits.safetensors"


@dataclass(frozen=True)
class Shortlist:
    """The outcome of a first stage.

    Attributes
    ----------
    arms: what the second stage runs: the baseline, what it always runs, the best.
    ranking: mean figure on the screening half by arm, the best first.
    baseline: the baseline's mean figure there.
    same_as: arms that predict what another one does on every image of every seed, and which: one
        that goes on whatever its rank, if there is such a one, else the first of `among`.
    left_out: arms that are not ranked because a run of theirs diverged.
    seeds: first-stage seeds that the means are over.
    metric: that they are ranked by.
    fingerprint: of the images.
    """

    arms: tuple[str, ...]
    ranking: dict[str, float]
    baseline: float
    same_as: dict[str, str]
    left_out: tuple[str, ...]
    seeds: tuple[int, ...]
    metric: str = ""
    fingerprint: str = ""

    def is_of(self, stage: Confirmation, fingerprint: str) -> bool:
        """Whether it is what `stage` asks for of these images; a study may have been changed."""
        always = tuple(dict.fromkeys((stage.baseline, *stage.always)))
        return (
            self.metric in ("", stage.metric)  # empty in what older versions wrote
            and self.fingerprint in ("", fingerprint)
            and self.arms[: len(always)] == always
            and len(self.arms) - len(always) <= stage.best
            and {*self.ranking, *self.left_out} == set(stage.among)
            and {*self.arms, *self.same_as, *self.same_as.values()} <= {*always, *stage.among}
        )


def make_shortlist(stage: Confirmation, runs: list[PlannedRun], out: Path) -> Shortlist | None:
    """Rank the arms of an expanded second stage; None while a run of theirs is not over.

    Parameters
    ----------
    runs: of the first stage.
    out: the study's folder.

    Raises
    ------
    UserError: the baseline has diverged, or a file of a run is damaged.
    """
    always = dict.fromkeys((stage.baseline, *stage.always))
    scored = {stage.baseline, *stage.among}
    wanted = dict.fromkeys((*always, *stage.among))
    scores: dict[str, list[float]] = {name: [] for name in wanted}
    answers: dict[str, list[bytes]] = {name: [] for name in wanted}
    left_out: set[str] = set()
    groups: dict[tuple[bool, ...] | None, str] = {}
    seeds = sorted({run.recipe.seed for run in runs})
    for run in runs:
        if run.for_choice or not wanted.keys() & set(run.arms):
            continue
        folder = out / "runs" / run.recipe.run_id
        outcome = load_outcome(folder)
        if outcome is None:
            return None
        if outcome.outcome != FINISHED:
            left_out |= wanted.keys() & set(run.arms)
            continue
        figures, predicted = evaluate_half(folder, "screening"), _predictions(folder)
        ranked_here = sorted(scored & set(run.arms))
        if ranked_here:
            groups.setdefault(classes_of(stage.metric, figures.train_counts), ranked_here[0])
        if len(groups) > 1:
            one, other = groups.values()
            raise UserError(
                f"second stage {stage.name!r} ranks by {stage.metric}, which in {one!r} is a mean "
                f"over other classes than in {other!r}: rank by another figure"
            )
        for name in wanted.keys() & set(run.arms):
            answers[name].append(predicted)
            score = getattr(figures, stage.metric)
            if score is not None:
                scores[name].append(score)
            elif name in scored:
                raise UserError(
                    f"second stage {stage.name!r} ranks by {stage.metric}, which {name!r} has not, "
                    "for want of such classes: rank by another figure"
                )
    if stage.baseline in left_out:
        raise UserError(
            f"second stage {stage.name!r}: its baseline {stage.baseline!r} has diverged, so "
            "there is nothing to compare with: lower its learning rate"
        )
    ranked = [name for name in stage.among if name not in left_out]
    same_as = _same({name: answers[name] for name in wanted if name not in left_out})
    # What differs by rounding alone is a tie, and keeps its order.
    means = {name: round(fmean(scores[name]), DECIMALS) for name in wanted if scores[name]}
    ranking = dict(sorted(((name, means[name]) for name in ranked), key=lambda item: -item[1]))
    best = [name for name in ranking if name not in same_as and name not in always][: stage.best]
    return Shortlist(
        arms=(*always, *best),
        ranking=ranking,
        baseline=means[stage.baseline],
        same_as=same_as,
        left_out=tuple(name for name in stage.among if name in left_out),
        seeds=tuple(seeds),
        metric=stage.metric,
        fingerprint=runs[0].recipe.fingerprint,
    )


def evaluate_half(folder: Path, half: Half) -> Evaluation:
    """A finished run's figures on one half of the images that it was judged by.

    Raises
    ------
    UserError: the run's logits are missing or damaged, or no class has two images to divide.
    """
    logits, labels = adjusted_logits(folder)
    whole = load_evaluation(folder)
    classes = len(whole.class_names)
    with reading(folder / LOGITS, RUN_AGAIN):
        if logits.shape[1] != classes:
            raise ValueError(f"there are {classes} classes: give a logit of each")
    first, second = stratified_split(labels, 0.5, SPLIT_SEED, classes)
    if not len(second):
        raise UserError(
            f"no class has two of the test images that {folder} is judged by, so they have no two "
            "halves: leave the second stage out, with --fresh-seeds 0, or give more test images"
        )
    shown = first if half == "screening" else second
    return evaluate_logits(
        logits[shown],
        labels[shown],
        class_names=whole.class_names,
        train_counts=whole.train_counts,
        split=f"{half} half of {whole.split}",
    )


def save_shortlists(out: Path, shortlists: dict[str, Shortlist]) -> None:
    """Write shortlists.json, by the names of the second stages."""
    values = {name: asdict(shortlist) for name, shortlist in shortlists.items()}
    with writing("the study's folder", out):
        write_whole(out / SHORTLISTS, json.dumps(values, ensure_ascii=False, indent=2))


def load_shortlists(out: Path) -> dict[str, Shortlist]:
    """Read what `save_shortlists` wrote; empty if no first stage is over.

    Raises
    ------
    UserError: the file is damaged.
    """
    path = out / SHORTLISTS
    mend = "delete it and run the study again"
    return read_json(path, dict[str, Shortlist], mend) if path.exists() else {}


def adjusted_logits(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A finished run's logits after any adjustment, float32 (N, K), and labels, int64 (N,).

    Raises
    ------
    UserError: the file is missing or damaged.
    """
    path = folder / LOGITS
    with reading(path, RUN_AGAIN):
        tensors = load_file(path)
        logits, labels = tensors["logits"], tensors["labels"]
        if logits.ndim != 2 or labels.shape != logits.shape[:1] or not np.isfinite(logits).all():
            raise ValueError("logits must be finite, one row a label")
        if labels.min() < 0 or labels.max() >= logits.shape[1]:
            raise ValueError("labels must be classes")
        if "scale" in tensors:
            adjusted = logits * tensors["scale"] + tensors["shift"]
            if adjusted.shape != logits.shape or not np.isfinite(adjusted).all():
                raise ValueError("scale and shift must be finite, one of each a class or for all")
            logits = adjusted
    return logits, labels


def _same(answers: dict[str, list[bytes]]) -> dict[str, str]:
    """Each arm that predicts what an earlier one does on every seed, and the first such one."""
    first: dict[tuple[bytes, ...], str] = {}
    found = {name: first.setdefault(tuple(given), name) for name, given in answers.items()}
    return {name: other for name, other in found.items() if name != other}


def _predictions(folder: Path) -> bytes:
    return bytes(adjusted_logits(folder)[0].argmax(axis=1).tobytes())
