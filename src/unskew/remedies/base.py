"""The protocol between the trainer and a cure for class imbalance.

The trainer calls these hooks and knows no remedy by name. Every hook has a default that does
nothing; a remedy overrides the few that it needs. Remedies are frozen dataclasses: their fields
are their hyper-parameters, and they keep no state of their own, so that a run can be resumed at
any step. What varies through a run arrives as an argument.

A loss of one's own takes ten lines; `option` gives a field the range that it may have:

>>> import torch
>>> from dataclasses import dataclass
>>> from unskew.remedies.base import Remedy
>>> from unskew.remedies.options import option
>>> @dataclass(frozen=True)
... class Hinge(Remedy):
...     '''Multi-class hinge loss.'''
...     name = "hinge"
...     margin: float = option(1.0, above=0)
...     def loss(self, facts, epoch):
...         return lambda logits, labels: torch.nn.functional.multi_margin_loss(
...             logits, labels, margin=self.margin, reduction="none")
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unskew.data.transfer import Constant
from unskew.registration import register
from unskew.remedies.options import check_options

ExampleLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits float (B, K), labels int64 (B,)) -> loss of each example, float (B,), unweighted."""


class Backward(Protocol):
    """Zeroes the gradients, computes the batch's loss and fills the gradients of it.

    Each call runs the network forward anew, at its weights of that moment. `classes`, bool
    (K,), keeps the part of the loss that belongs to labels of these classes; the parts of
    `classes` and of `~classes` add up to the whole.
    """

    def __call__(self, classes: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Facts:
    """What a remedy may know of the run it is used in.

    Attributes
    ----------
    counts: training images per class, int64 (K,), on the CPU; a class may have none.
    labels: training labels, int64 (N,).
    epochs: epochs of the whole run, all stages together.
    batch_size: images per step.
    seed: the run's training seed.
    num_features: D of the network's `features`.
    """

    counts: NDArray[np.int64]
    labels: NDArray[np.int64]
    epochs: int
    batch_size: int
    seed: int
    num_features: int = 0
    _constants: dict[Hashable, Constant] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def num_classes(self) -> int:
        return len(self.counts)

    @property
    def prior(self) -> NDArray[np.float64]:
        """Share of each class among the training images, float64 (K,); sums to 1."""
        return self.counts / self.counts.sum()

    def constant(self, key: Hashable, make: Callable[[], Tensor]) -> Constant:
        """A small tensor that follows from these facts and that a remedy needs in every step.

        Parameters
        ----------
        key: what it is and of which remedy.
        make: makes it, on the CPU; called once.
        """
        if key not in self._constants:
            self._constants[key] = Constant(make())
        return self._constants[key]


@dataclass(frozen=True)
class Draw:
    """The training images of one epoch, in the order they are shown.

    Attributes
    ----------
    indices: int64 (n,), positions in the training set; n may differ from N.
    copies: bool (n,) or None: True where an image repeats one that the epoch also shows, for
        remedies that augment the copies only.
    partners: int64 (n,) or None: a second image for each position, drawn apart, for remedies
        that mix two batches; it comes as `Batch.partners`.
    """

    indices: NDArray[np.int64]
    copies: NDArray[np.bool_] | None = None
    partners: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Batch:
    """One step's examples, on the device, normalised and augmented.

    Attributes
    ----------
    images: float (B, 3, H, W), channels last in memory.
    labels: int64 (B,).
    indices: int64 (B,), positions in the training set.
    copies: bool (B,) or None, as in `Draw`.
    other_labels, share: for mixed images: an example counts `share` (float (B,)) for its label
        and 1 - share for its other label (int64 (B,)); None where nothing is mixed.
    views: further independently augmented views of the same images, each like `images`; as many
        as the remedy's `views` asks for.
    partners: the batch of `Draw.partners`, augmented independently, with as many views.
    noise: what the remedy's `transform` has drawn for its `objective`, which has no generator.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    copies: Tensor | None = None
    other_labels: Tensor | None = None
    share: Tensor | None = None
    views: tuple[Tensor, ...] = ()
    partners: Batch | None = None
    noise: Tensor | None = None

    def with_(self, **changes: Any) -> Batch:
        """A copy with some fields replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Stage:
    """One part of a run in several stages (decoupled training).

    Attributes
    ----------
    name: shown in progress and history.
    epochs: length of the stage; the stages' sum is the run's cost.
    classifier_only: freeze everything but the classifier (BatchNorm statistics included).
    reset_classifier: draw the classifier's weights anew when the stage begins.
    remedy: acts in this stage in place of the remedy that divides the run; None keeps that one.
        What the run's other remedies do to the loss, after a step and to the optimiser's groups
        goes on; the rest of them (mixing, a step of their own) ends with the first stage.
    learning_rate: factor on the recipe's learning rate; the schedule starts afresh, its warm-up
        and milestones in proportion to the stage's epochs.
    weight_decay: replaces the recipe's, where not None; of an L2 penalty, but where the recipe's
        optimiser is AdamW, which decouples it.
    """

    name: str
    epochs: int
    classifier_only: bool = False
    reset_classifier: bool = False
    remedy: Remedy | None = None
    learning_rate: float = 1.0
    weight_decay: float | None = None


@dataclass(frozen=True)
class HeldOut:
    """Predictions that an adjustment may be fitted on, never the test labels.

    Attributes
    ----------
    logits, labels: of labelled images held out of training, float32 (M, K) and int64 (M,);
        None unless the remedy's `held_out` asks for them.
    unlabelled: logits of the images to be predicted, float32 (T, K); their labels are not here.
    """

    unlabelled: Tensor
    logits: Tensor | None = None
    labels: Tensor | None = None


@dataclass(frozen=True)
class Adjustment:
    """An affine change of logits at prediction: `logits * scale + shift`, each float32 (K,)."""

    scale: Tensor
    shift: Tensor
    note: str = field(default="")

    def __call__(self, logits: Tensor) -> Tensor:
        """Adjusted logits, like `logits`, float (..., K)."""
        return logits * self.scale.to(logits) + self.shift.to(logits)


@dataclass(frozen=True)
class Remedy:
    """Base of all remedies: every hook is here with a default that does nothing.

    Class attributes
    ----------------
    name: what recipes call it; a subclass that sets one is registered by being defined.
    corrects_prior: it moves the decision towards rare classes by about their prior; two such
        remedies together over-correct and are refused.
    views: further augmented views of each image that `objective` needs in `Batch.views`.
    held_out: share of the training images to keep apart for `adjustment`.
    mixes: its `transform` makes one image of two and sets `Batch.other_labels`; images are
        mixed once, so two such remedies together are refused.
    cosines: its classifier's logits do not depend on the lengths of the weights.
    acts_on_lengths: it changes the lengths of the classifier's weights, which would do nothing
        beside `cosines` or `sets_lengths`.
    sets_lengths: it gives all classes' weights one length after each step, whatever another has
        done to them.
    gradual: what it does depends on how far the run is. Outside of a run it must be told how long
        that is.
    scales_lengths: it gives each class's weights a factor that is not seen in their lengths.
    divides_decay: it says where the run's weight decay λ acts, and does nothing where λ is 0.
    even: its `adjustment` is for use where the classes are equally frequent.
    side_by_side: its `loss` and `class_weights` depend neither on the seed nor on λ or the learning
        rate, draw nothing at random and hold under `torch.func.vmap`: many runs may share a
        step. And that whatever it does in the step does the same to its
        tensors in each step of an epoch, so that the step may be recorded (see `replayable`). Of a
        remedy without such hooks it says nothing.
    only_shortens: all it does is to shorten the classifier's weights; it would do nothing beside
        `sets_lengths`.
    splits_loss: its `update` asks `backward` for the loss of some classes alone, which the
        `objective` hook is not told; refused beside one.
    """

    name: ClassVar[str] = ""
    corrects_prior: ClassVar[bool] = False
    views: ClassVar[int] = 0
    held_out: ClassVar[float] = 0.0
    mixes: ClassVar[bool] = False
    cosines: ClassVar[bool] = False
    acts_on_lengths: ClassVar[bool] = False
    sets_lengths: ClassVar[bool] = False
    gradual: ClassVar[bool] = False
    scales_lengths: ClassVar[bool] = False
    divides_decay: ClassVar[bool] = False
    even: ClassVar[bool] = False
    side_by_side: ClassVar[bool] = False
    only_shortens: ClassVar[bool] = False
    splits_loss: ClassVar[bool] = False

    known: ClassVar[dict[str, type[Remedy]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("name"):
            register(cls, Remedy.known, "remedy")

    def __post_init__(self) -> None:
        """Check the options against their ranges; a UserError names what is out of range."""
        check_options(self)

    # -- before training ------------------------------------------------------------------

    def check(self, facts: Facts) -> None:
        """Raise a UserError if the remedy does not fit the run; called before anything else."""

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """How the run's epochs are divided."""
        return (Stage("training", epochs),)

    def begins(self, epochs: int) -> int:
        """The epoch, from 0, in which the remedy sets in; until then training is as it was."""
        return 0

    def idle(self, facts: Facts) -> str:
        """Why it does nothing on these images, for people; empty where it acts."""
        return ""

    def prepare(self, network: nn.Module, facts: Facts) -> None:
        """Change the network before training, and again before its saved weights are loaded."""

    def auxiliary(self, facts: Facts) -> nn.Module | None:
        """A module trained beside the network and dropped after (a projection head, say)."""
        return None

    def parameter_groups(
        self, network: nn.Module, weight_decay: float
    ) -> list[dict[str, Any]] | None:
        """The optimiser's parameter groups (each with its own `weight_decay`), or None."""
        return None

    # -- each epoch -----------------------------------------------------------------------

    def draw(self, facts: Facts, epoch: int, rng: np.random.Generator) -> Draw | None:
        """The epoch's examples in order; None: every image once, shuffled."""
        return None

    def loss(self, facts: Facts, epoch: int) -> ExampleLoss | None:
        """The loss of each example; None: cross-entropy."""
        return None

    def class_weights(self, facts: Facts, epoch: int) -> Tensor | None:
        """Weights of the classes in the mean of the losses, float32 (K,); None: equal.

        The mean is weighted: sum(w * loss) / sum(w) over the batch, as in PyTorch.
        """
        return None

    # -- each step ------------------------------------------------------------------------

    def transform(self, batch: Batch, facts: Facts, rng: np.random.Generator) -> Batch:
        """Mix or augment a batch."""
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
        """(what is minimised, scalar; logits (B, K)) where it is more than a loss of the logits.

        `criterion(logits, batch)` is the run's weighted and mixed loss, to build on.
        """
        return None

    def carried_over(self, facts: Facts, epoch: int) -> float:
        """Factor on the optimiser's momentum as an epoch begins; 1 leaves it as it is."""
        return 1.0

    def update(
        self, backward: Backward, optimizer: torch.optim.Optimizer, network: nn.Module, facts: Facts
    ) -> Tensor:
        """One optimiser step. Returns the loss that is recorded."""
        loss = backward()
        optimizer.step()
        return loss

    def after_step(self, network: nn.Module, facts: Facts, epoch: int) -> None:
        """Called after each optimiser step (projections, max-norm)."""

    # -- after training -------------------------------------------------------------------

    def after_training(self, network: nn.Module, facts: Facts) -> None:
        """Change the trained weights once."""

    def adjustment(self, facts: Facts, held_out: HeldOut) -> Adjustment | None:
        """How logits are changed at prediction."""
        return None

    # -- for people -----------------------------------------------------------------------

    def overrides(self) -> frozenset[str]:
        """Names of the hooks that this remedy changes."""
        return frozenset(
            hook for hook in HOOKS if getattr(type(self), hook) is not getattr(Remedy, hook)
        )

    # -- for the trainer ------------------------------------------------------------------

    def replayable(self) -> bool:
        """Whether a GPU may record a step once an epoch and then replay it without Python.

        A recording knows tensors only: what the step counts in Python, draws with NumPy or asks of
        a tensor's value is fixed in it for ever. The package's own remedies do none of this; one
        written elsewhere that has a say in the step (`RECORDED`) has to rule it out by
        `side_by_side = True`, said where the hook is written or below.
        """
        for kind in type(self).__mro__:
            if kind.__module__.split(".")[0] == __name__.split(".")[0]:
                break  # what follows is the package's own, or hidden by it
            if "side_by_side" in vars(kind):
                return self.side_by_side
            if RECORDED & vars(kind).keys():
                return False
        return True


IN_THE_STEP = frozenset({"prepare", "loss", "class_weights"})
"""Hooks that act in a step of all runs which train together, so that a remedy must say it is
`side_by_side`."""

RECORDED = frozenset({"prepare", "auxiliary", "loss", "objective", "update", "after_step"})
"""Hooks that act in a step, or bring modules that do, and so are part of what a GPU records."""

HOOKS: Sequence[str] = (
    "stages", "prepare", "auxiliary", "parameter_groups", "draw", "loss", "class_weights",
    "transform", "objective", "carried_over", "update", "after_step", "after_training",
    "adjustment",
)  # fmt: skip
