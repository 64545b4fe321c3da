"""How a run ended, and its figures: what is read of a run's folder, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unskew.evaluation.evaluation import Evaluation
from unskew.training.files import RUN_AGAIN, read_json

FINISHED, DIVERGED = "finished", "diverged"

SHORT = 100
"""Steps; a whole run of fewer has the statistics of its norms gathered anew (`training.short`).

After n of them the values that a norm begins with still count 0.9^n, and where so few steps change
the weights that fast, most of the rest are those of other weights.
"""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended; `run.json` of its folder.

    Attributes
    ----------
    run_id: name of the folder, from the recipe.
    outcome: "finished", or "diverged", which leaves no weights and no evaluation.
    message: why it diverged; or what `max_steps` has kept from beginning, why the remedy did
        nothing, what an adjustment of the logits did; often empty.
    train_seconds: wall time of all training steps, evaluation not included; of a run that was
        trained with others its share.
    images_per_second: training images over that time.
    precision: number format of the products, "float32" or "bfloat16".
    threads: of the process that trained it; results are bit-identical for the same number.
    mean, std: of the training images' channels in units of 0..255; prediction must use them.
    kernels: "fused" where the package's own kernels were used, and how, else "plain" and why; or
        with how many others it was trained. On a GPU also how the last steps were computed.
    trained_by: run id of the twin whose training this run has taken over; empty if it trained.
    steps: of the optimiser in all; 0 in a file of a version that did not say.
    unbegun: stages of the remedy, and parts of it that set in late, which `max_steps` has kept from
        beginning.
    """

    run_id: str
    outcome: str
    message: str
    train_seconds: float
    images_per_second: float
    precision: str
    threads: int
    device: str
    torch_version: str
    processor: str
    started: str
    finished: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kernels: str = "plain"
    trained_by: str = ""
    steps: int = 0
    unbegun: tuple[str, ...] = ()


def load_outcome(folder: Path) -> RunOutcome | None:
    """How the run in `folder` ended; None if it has not.

    Raises
    ------
    UserError: its run.json is damaged.
    """
    path = folder / "run.json"
    return read_json(path, RunOutcome, RUN_AGAIN) if path.exists() else None


def load_evaluation(folder: Path) -> Evaluation:
    """The evaluation of a finished run.

    Raises
    ------
    UserError: its evaluation.json is missing or damaged.
    """
    return read_json(folder / "evaluation.json", Evaluation, RUN_AGAIN)
