"""An evaluation's figures by their names, and which way each of them is better."""

from __future__ import annotations

from dataclasses import fields

from unskew.evaluation.evaluation import Evaluation

EVALUATED = frozenset(
    field.name for field in fields(Evaluation) if field.type in ("float", "float | None")
) | {"mean_auroc"}
"""Figures that are one number; the last is no field, for it follows from those of the classes."""

LOWER_IS_BETTER = frozenset(
    {"final_train_loss", "train_seconds", "nll", "brier", "ece", "classwise_ece"}
)
"""Of an evaluation or a run; of all others more is better."""
