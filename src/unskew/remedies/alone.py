"""A remedy's loss, draw or adjustment without the trainer, for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.utils.data import Sampler

from unskew.data.randomness import stream
from unskew.errors import UserError
from unskew.remedies import given
from unskew.remedies.base import Batch, HeldOut
from unskew.remedies.criterion import Criterion


class RemedyLoss(nn.Module):
    """A remedy's loss, class weights included, as a PyTorch criterion.

    Parameters
    ----------
    remedy: a name, or several joined by "+", that acts through the loss alone: "focal",
        "balanced_softmax", "effective_number+focal".
    counts: int (K,), training images of each class.
    options: as {"focal": {"gamma": 1.0}}.
    epochs: of the whole training, for remedies that set in late and need it; `set_epoch` says
        where it is.

    Shapes
    ------
    logits float (B, K), labels int64 (B,) -> scalar float32: sum(w * loss) / sum(w) with w the
    weight of each example's class.

    Raises
    ------
    UserError: the remedy is unknown, does more than a loss can or needs `epochs`; or, when it is
        called, logits and labels are not of these shapes and classes. The labels' classes are
        looked at on a CPU alone, where nothing has to wait for it.

    Examples
    --------
    >>> import torch
    >>> criterion = RemedyLoss("balanced_softmax", counts=[900, 100])
    >>> logits, labels = torch.zeros(1, 2), torch.tensor([1])
    >>> round(criterion(logits, labels).item(), 3)  # -log 0.1: the rare class has to win by more
    2.303
    """

    def __init__(
        self,
        remedy: str,
        counts: ArrayLike,
        *,
        options: given.Options | None = None,
        epochs: int | None = None,
    ) -> None:
        super().__init__()
        self._remedy = given.only(remedy, options, {"loss", "class_weights"}, "loss")
        self._facts = given.facts_of(counts, given.length(self._remedy, remedy, epochs))
        self._remedy.check(self._facts)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Where the training is; 0 for its first epoch."""
        self._epoch = epoch
        self._weights = self._remedy.class_weights(self._facts, epoch)
        self._loss = self._remedy.loss(self._facts, epoch)

    def __getstate__(self) -> dict[str, Any]:
        """Without the loss itself: some are functions of their own, which cannot be pickled."""
        return self.__dict__ | {"_loss": None, "_weights": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the loss anew, as of the epoch that the copied one was in."""
        super().__setstate__(state)
        self.set_epoch(self._epoch)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The batch's loss."""
        labels = given.targets(logits, labels, self._facts.num_classes)
        if self._weights is not None and self._weights.device != logits.device:
            with torch.inference_mode(False):  # a validation may come before training
                self._weights = self._weights.to(logits.device)  # once, not in every step
        return Criterion(self._loss, self._weights)(logits, Batch(logits, labels, labels))


class RemedySampler(Sampler[int]):
    """A remedy's draw of training images as a sampler for a `DataLoader`.

    The same seed and epoch give the draw of `unskew.Trainer`.

    Parameters
    ----------
    remedy: a name that acts through the draw alone: "class_balanced_sampling", "oversample".
    labels: int (N,), of all training images in the data set's order; 0 for the first class.
    options: as {"square_root_sampling": {"q": 0.25}}.
    epochs: of the whole training, for draws that change on the way and need it.
    seed: of the draws.

    Raises
    ------
    UserError: the remedy is unknown, does more than a draw can or needs `epochs`, or a label names
        no class.

    Examples
    --------
    >>> sampler = RemedySampler("oversample", labels=[0, 0, 0, 1])
    >>> sorted(sampler)
    [0, 1, 2, 3, 3, 3]
    """

    def __init__(
        self,
        remedy: str,
        labels: ArrayLike,
        *,
        options: given.Options | None = None,
        epochs: int | None = None,
        seed: int = 0,
    ) -> None:
        self._remedy = given.only(remedy, options, {"draw"}, "sampler")
        known = given.classes(labels)
        length = given.length(self._remedy, remedy, epochs)
        self._facts = given.facts_of(np.bincount(known), length, known, seed)
        self._remedy.check(self._facts)
        self._seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch is drawn next; 0 for the training's first."""
        rng = stream(self._seed, "order", epoch)
        draw = self._remedy.draw(self._facts, epoch, rng)
        count = len(self._facts.labels)
        self._indices = rng.permutation(count) if draw is None else draw.indices

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices.tolist())

    def __len__(self) -> int:
        return len(self._indices)


def adjust_logits(
    remedy: str,
    logits: ArrayLike | Tensor,
    counts: ArrayLike,
    *,
    options: given.Options | None = None,
    held_out: tuple[ArrayLike | Tensor, ArrayLike | Tensor] | None = None,
) -> Tensor:
    """A trained classifier's logits, adjusted for prediction; nothing is trained.

    Parameters
    ----------
    remedy: a name, or several joined by "+", that acts after training through the logits alone:
        "posthoc_logit_adjustment", "posthoc_em", "temperature_scaling".
    logits: float (N, K), of the images to be predicted, on any device.
    counts: int (K,), training images of each class.
    options: as {"posthoc_logit_adjustment": {"tau": 0.5}}.
    held_out: logits float (M, K) and labels int (M,) of images that were not trained on, for
        remedies that are fitted.

    Returns
    -------
    float32 (N, K), on the device of `logits`.

    Raises
    ------
    UserError: the remedy is unknown, does more than that, or needs `held_out`; shapes do not fit,
        or a label names no class.

    Examples
    --------
    >>> adjust_logits("posthoc_logit_adjustment", [[1.0, 0.0]], counts=[900, 100]).argmax().item()
    1
    """
    found, facts = given.only(remedy, options, {"adjustment"}, "adjustment"), given.facts_of(counts)
    found.check(facts)
    if found.held_out and held_out is None:
        raise UserError(
            f"remedy {remedy!r} is fitted: give logits and labels of images that were not trained "
            "on as held_out"
        )
    scores = given.scores(logits, facts, "logits")
    known: tuple[Tensor, Tensor] | tuple[None, None] = (None, None)
    if held_out is not None:
        shown = given.scores(held_out[0], facts, "held_out logits").detach().cpu()
        known = shown, given.held_out_labels(held_out[1], shown)
    adjustment = found.adjustment(facts, HeldOut(scores.detach().cpu(), *known))
    return scores if adjustment is None else adjustment(scores)
