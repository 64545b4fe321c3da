"""Several remedies as one, where that makes sense."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unskew.errors import UserError
from unskew.remedies.base import (
    IN_THE_STEP,
    Adjustment,
    Backward,
    Batch,
    Draw,
    ExampleLoss,
    Facts,
    HeldOut,
    Remedy,
    Stage,
)

WHY_ONE = {
    "stages": "divide the run into stages",
    "prepare": "rebuild the classifier",
    "auxiliary": "train a module of their own",
    "parameter_groups": "decide where weight decay acts",
    "draw": "decide which images an epoch shows",
    "loss": "replace the loss",
    "class_weights": "weight the classes",
    "objective": "replace the objective",
    "update": "replace the optimiser step",
}
"""Hooks that one part alone may fill, and what two that fill them would both do. The others
follow one another: each works on what the one before has left."""


def compose(parts: Sequence[Remedy]) -> Remedy:
    """The parts as one remedy, applied in their order.

    Raises
    ------
    UserError: two parts fill the same hook, or both correct for the class prior.
    """
    if not parts:
        return Remedy()
    if len(parts) == 1:
        return parts[0]
    for index, first in enumerate(parts):
        for second in parts[index + 1 :]:
            _check_pair(first, second)
    return Composite(tuple(parts))


def _check_pair(first: Remedy, second: Remedy) -> None:
    if first.name and first.name == second.name:
        raise UserError(f"remedy {first.name!r} is named twice")
    for hook, reason in WHY_ONE.items():
        if hook in first.overrides() and hook in second.overrides():
            raise UserError(
                f"remedies {first.name!r} and {second.name!r} both {reason}: choose one"
            )
    if "objective" in first.overrides() | second.overrides():
        for owner, other in ((first, second), (second, first)):
            if (
                "objective" in owner.overrides()
                and "transform" in other.overrides()
                and owner.views
            ):
                raise UserError(
                    f"remedy {owner.name!r} needs whole images of one class each, which "
                    f"{other.name!r} mixes or changes: choose one"
                )
        for splitter, other in ((first, second), (second, first)):
            if splitter.splits_loss and "objective" in other.overrides():
                raise UserError(
                    f"remedy {splitter.name!r} treats the loss class by class, and the objective "
                    f"of {other.name!r} is of all classes at once: choose one"
                )
    for divider, other in ((first, second), (second, first)):
        lasting = other.overrides() & LASTING & WHY_ONE.keys()
        for hook in sorted(lasting & _later_hooks(divider)):
            raise UserError(
                f"remedies {divider.name!r}, in its later stages, and {other.name!r} both "
                f"{WHY_ONE[hook]}: choose one"
            )
    _check_lengths(first, second)
    if first.mixes and second.mixes:
        raise UserError(f"remedies {first.name!r} and {second.name!r} both mix images: choose one")
    if first.corrects_prior and second.corrects_prior:
        raise UserError(
            f"remedies {first.name!r} and {second.name!r} both correct for the class prior; "
            "together they would favour rare classes beyond measure: choose one"
        )
    for owner, other in ((first, second), (second, first)):
        # A temperature for equal classes, fitted on logits for others, would be neither's.
        elsewhere = "adjustment" in other.overrides() and other.corrects_prior and not other.even
        if owner.even and elsewhere:
            raise UserError(
                f"remedy {owner.name!r} is set for classes that are equally frequent, and "
                f"{other.name!r} adjusts to other frequencies: choose one, or leave its setting out"
            )


def _later_hooks(remedy: Remedy) -> frozenset[str]:
    """What a remedy's stages fill themselves, however long the run is."""
    own = (stage.remedy.overrides() for stage in remedy.stages(100) if stage.remedy is not None)
    return frozenset().union(*own)


def _check_lengths(first: Remedy, second: Remedy) -> None:
    """Raise a UserError if what one does to the lengths of the weights is lost on the other."""
    for owner, other in ((first, second), (second, first)):
        if owner.sets_lengths and other.only_shortens:
            raise UserError(
                f"remedy {other.name!r} shortens the classifier's weights and nothing else, and "
                f"{owner.name!r} makes them all the same length: choose one, or let it do more by "
                "its options"
            )
        if not other.acts_on_lengths:
            continue
        if owner.cosines:
            raise UserError(
                f"remedy {other.name!r} changes the lengths of the classifier's weights, which "
                f"have no say in the cosines of {owner.name!r}: choose one"
            )
        if owner.scales_lengths:
            raise UserError(
                f"remedy {other.name!r} acts by the lengths of the classifier's weights, which "
                f"{owner.name!r} multiplies by factors of its own: choose one"
            )
        if owner.sets_lengths:
            raise UserError(
                f"remedy {other.name!r} acts by the lengths of the classifier's weights, and "
                f"{owner.name!r} makes them all the same: choose one"
            )


@dataclass(frozen=True)
class Composite(Remedy):
    """Several remedies, each filling the hooks that it overrides."""

    parts: tuple[Remedy, ...] = ()

    def __post_init__(self) -> None:
        # On the instance, over the class attributes: what any part needs, the whole needs.
        object.__setattr__(self, "views", max(part.views for part in self.parts))
        object.__setattr__(self, "held_out", max(part.held_out for part in self.parts))
        object.__setattr__(self, "corrects_prior", any(p.corrects_prior for p in self.parts))
        object.__setattr__(self, "divides_decay", any(p.divides_decay for p in self.parts))
        object.__setattr__(self, "gradual", any(part.gradual for part in self.parts))
        weighing = [part for part in self.parts if part.overrides() & IN_THE_STEP]
        object.__setattr__(self, "side_by_side", all(part.side_by_side for part in weighing))

    def overrides(self) -> frozenset[str]:
        return frozenset().union(*(part.overrides() for part in self.parts))

    def replayable(self) -> bool:
        return all(part.replayable() for part in self.parts)

    def _owner(self, hook: str) -> Remedy:
        """The part that fills a hook; if none does, one that does nothing."""
        return next((part for part in self.parts if hook in part.overrides()), Remedy())

    def check(self, facts: Facts) -> None:
        for part in self.parts:
            part.check(facts)

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        owner = self._owner("stages")
        others = tuple(_Lasting(part) for part in self.parts if part is not owner)
        return tuple(
            stage if stage.remedy is None
            else replace(stage, remedy=Composite((stage.remedy, *others)))
            for stage in owner.stages(epochs)
        )  # fmt: skip

    def prepare(self, network: nn.Module, facts: Facts) -> None:
        self._owner("prepare").prepare(network, facts)

    def auxiliary(self, facts: Facts) -> nn.Module | None:
        return self._owner("auxiliary").auxiliary(facts)

    def parameter_groups(
        self, network: nn.Module, weight_decay: float
    ) -> list[dict[str, Any]] | None:
        return self._owner("parameter_groups").parameter_groups(network, weight_decay)

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw | None:
        return self._owner("draw").draw(facts, epoch, rng)

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss | None:
        return self._owner("loss").loss(facts, epoch)

    def class_weights(self, facts: Facts, epoch: int) -> Tensor | None:
        return self._owner("class_weights").class_weights(facts, epoch)

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        for part in transforming(self):
            batch = part.transform(batch, facts, rng)
        return batch

    def objective(
        self,
        network: nn.Module,
        auxiliary: nn.Module | None,
        batch: Batch,
        criterion: Callable[[Tensor, Batch], Tensor],
        facts: Facts,
        epoch: int,
    ) -> tuple[Tensor, Tensor] | None:
        owner = self._owner("objective")
        return owner.objective(network, auxiliary, batch, criterion, facts, epoch)

    def carried_over(self, facts: Facts, epoch: int) -> float:
        return math.prod(part.carried_over(facts, epoch) for part in self.parts)

    def update(
        self, backward: Backward, optimizer: torch.optim.Optimizer, network: nn.Module, facts: Facts
    ) -> Tensor:
        return self._owner("update").update(backward, optimizer, network, facts)

    def after_step(self, network: nn.Module, facts: Facts, epoch: int) -> None:
        for part in self.parts:
            part.after_step(network, facts, epoch)

    def after_training(self, network: nn.Module, facts: Facts) -> None:
        for part in self.parts:
            part.after_training(network, facts)

    def adjustment(self, facts: Facts, held_out: HeldOut) -> Adjustment | None:
        """The parts' adjustments one after another, each fitted on what the last has left.

        What corrects the prior comes last: held-out images, on which the others are fitted, have
        the prior of the training images. Only what is fitted as if classes were equally frequent
        comes after it.
        """

        def place(part: Remedy) -> int:
            return int(part.corrects_prior) or 2 * part.even

        whole: Adjustment | None = None
        for part in sorted(self.parts, key=place):
            step = part.adjustment(facts, _adjusted(held_out, whole))
            if step is not None:
                whole = step if whole is None else _then(whole, step)
        return whole


def transforming(remedy: Remedy) -> list[Remedy]:
    """The parts of a remedy that transform a batch, in the order in which they do.

    Mixing comes last: who changes an image by what is known of it must find it whole.
    """
    acting = [part for part in parts_of(remedy) if "transform" in part.overrides()]
    return sorted(acting, key=lambda part: part.mixes)


def parts_of(remedy: Remedy) -> tuple[Remedy, ...]:
    """What a remedy is composed of: itself, where it is not composed."""
    return remedy.parts if isinstance(remedy, Composite) else (remedy,)


LASTING = frozenset({"loss", "class_weights", "after_step", "parameter_groups"})
"""Hooks by which a remedy goes on acting where another one's stage begins."""


@dataclass(frozen=True)
class _Lasting(Remedy):
    """What is left of a remedy in a stage that another one has set up."""

    part: Remedy = field(default_factory=Remedy)

    def __post_init__(self) -> None:
        """It has no options of its own."""

    def overrides(self) -> frozenset[str]:
        return self.part.overrides() & LASTING

    def replayable(self) -> bool:
        return self.part.replayable()

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss | None:
        return self.part.loss(facts, epoch)

    def class_weights(self, facts: Facts, epoch: int) -> Tensor | None:
        return self.part.class_weights(facts, epoch)

    def after_step(self, network: nn.Module, facts: Facts, epoch: int) -> None:
        self.part.after_step(network, facts, epoch)

    def parameter_groups(
        self, network: nn.Module, weight_decay: float
    ) -> list[dict[str, Any]] | None:
        return self.part.parameter_groups(network, weight_decay)


def _adjusted(held_out: HeldOut, adjustment: Adjustment | None) -> HeldOut:
    if adjustment is None:
        return held_out
    logits = None if held_out.logits is None else adjustment(held_out.logits)
    return HeldOut(adjustment(held_out.unlabelled), logits, held_out.labels)


def _then(first: Adjustment, second: Adjustment) -> Adjustment:
    return Adjustment(
        first.scale * second.scale,
        first.shift * second.scale + second.shift,
        "; ".join(filter(None, (first.note, second.note))),
    )
