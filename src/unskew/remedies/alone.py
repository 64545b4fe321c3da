"""A remedy's loss, draw or adjustment without the trainer, for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.utils.data import Sampler

from unskew.data.randomness import stream
from unskew.errors import UserError
from unskew.remedies.base import Batch, Facts, HeldOut, Remedy
from unskew.remedies.criterion import Criterion
from unskew.remedies.registry import make_remedy

Options = Mapping[str, Mapping[str, Any]]
"""Values of remedies' fields, by remedy and field."""

MOST_CLASSES = 10**6
MOST_IMAGES = 10**8
"""Of a class. What is larger is a mistake, which would fill the memory."""


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
        options: Options | None = None,
        epochs: int | None = None,
    ) -> None:
        super().__init__()
        self._remedy = _only(remedy, options, {"loss", "class_weights"}, "loss")
        self._facts = _facts(counts, _length(self._remedy, remedy, epochs))
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
        labels = _checked(logits, labels, self._facts.num_classes)
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
        options: Options | None = None,
        epochs: int | None = None,
        seed: int = 0,
    ) -> None:
        self._remedy = _only(remedy, options, {"draw"}, "sampler")
        known = _classes(labels)
        length = _length(self._remedy, remedy, epochs)
        self._facts = _facts(np.bincount(known), length, known, seed)
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
    options: Options | None = None,
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
    found, facts = _only(remedy, options, {"adjustment"}, "adjustment"), _facts(counts)
    found.check(facts)
    if found.held_out and held_out is None:
        raise UserError(
            f"remedy {remedy!r} is fitted: give logits and labels of images that were not trained "
            "on as held_out"
        )
    scores = _logits(logits, facts, "logits")
    known: tuple[Tensor, Tensor] | tuple[None, None] = (None, None)
    if held_out is not None:
        shown = _logits(held_out[0], facts, "held_out logits").detach().cpu()
        known = shown, _labels(held_out[1], shown)
    adjustment = found.adjustment(facts, HeldOut(scores.detach().cpu(), *known))
    return scores if adjustment is None else adjustment(scores)


def _logits(values: ArrayLike | Tensor, facts: Facts, what: str) -> Tensor:
    scores = torch.as_tensor(values, dtype=torch.float32)
    if scores.ndim != 2 or scores.shape[1] != facts.num_classes or not len(scores):
        raise UserError(
            f"{what} must be (N, {facts.num_classes}) with one row at least, not "
            f"{tuple(scores.shape)}"
        )
    if not bool(scores.isfinite().all()):
        raise UserError(f"{what} must be finite: the network has given NaN or infinity")
    return scores


def _labels(values: ArrayLike | Tensor, logits: Tensor) -> Tensor:
    labels = torch.as_tensor(values).cpu()
    count, classes = logits.shape
    if labels.shape != (count,):
        raise UserError(f"held_out labels must be ({count},), not {tuple(labels.shape)}")
    if not bool(torch.isin(labels.double(), torch.arange(classes).double()).all()):
        raise UserError(f"held_out labels must be 0 to {classes - 1}: one of them names no class")
    return labels.long()


def _classes(values: ArrayLike) -> NDArray[np.int64]:
    labels = _whole_numbers(values, MOST_CLASSES)
    if labels is None:
        raise UserError(
            f"labels must be classes, whole numbers (N,) from 0 to {MOST_CLASSES - 1:,}"
        )
    return labels


def _whole_numbers(values: ArrayLike, end: int) -> NDArray[np.int64] | None:
    """int64 (n,), n > 0, each at least 0 and below `end`; None where they are not."""
    try:
        found = np.asarray(values)
    except ValueError:  # lists of unequal length
        return None
    if found.dtype.kind not in "biuf" or found.ndim != 1 or found.size == 0:
        return None
    if not ((found >= 0) & (found < end)).all() or (found != np.floor(found)).any():
        return None
    return found.astype(np.int64)


def _checked(logits: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The labels as int64: others would be taken for masks by what indexes with them."""
    if logits.dim() != 2 or logits.shape[1] != classes:
        raise UserError(f"logits must be (B, {classes}), not {tuple(logits.shape)}")
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool)
    if not whole or labels.shape != logits.shape[:1]:
        raise UserError(
            f"labels must be whole numbers ({len(logits)},), not {labels.dtype} of the shape "
            f"{tuple(labels.shape)}"
        )
    if labels.device.type == "cpu" and len(labels):
        least, most = (int(value) for value in labels.aminmax())
        if least < 0 or most >= classes:
            wrong = least if least < 0 else most
            raise UserError(f"labels must be 0 to {classes - 1}, and one is {wrong}")
    return labels.long()


def _length(found: Remedy, spec: str, epochs: int | None) -> int:
    """Epochs of the training that a remedy acts in."""
    if epochs is None and found.gradual:
        raise UserError(
            f"remedy {spec!r} changes in the course of a training: say how long that is with "
            "epochs=, and call set_epoch before each"
        )
    if epochs is not None and epochs < 1:
        raise UserError(f"epochs = {epochs}: a training has 1 or more")
    return epochs or 1


def _only(spec: str, options: Options | None, hooks: set[str], what: str) -> Remedy:
    remedy = make_remedy(spec, options)
    more = sorted(remedy.overrides() - hooks)
    if more or not remedy.overrides():
        does = f"acts through {', '.join(more)}" if more else "does nothing"
        raise UserError(f"remedy {spec!r} {does}, so it is no {what} by itself: use unskew.Trainer")
    return remedy


def _facts(
    counts: ArrayLike,
    epochs: int = 1,
    labels: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Facts:
    counted = _whole_numbers(counts, MOST_IMAGES)
    if counted is None or not counted.any():
        raise UserError(
            f"counts must be images of each class, whole numbers (K,) below {MOST_IMAGES:,}, not "
            f"{str(counts)[:80]}"
        )
    if labels is None:
        labels = np.repeat(np.arange(len(counted), dtype=np.int64), counted)
    return Facts(counted, labels, epochs, batch_size=1, seed=seed)
