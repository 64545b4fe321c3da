"""The loop that trains many runs at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from unskew.data.batches import Batches
from unskew.data.transfer import moved
from unskew.kernels.gpu import triton_at_hand
from unskew.training.captured import Captured
from unskew.training.checkpoint import State
from unskew.training.divergence import Diverged
from unskew.training.events import Event
from unskew.training.predict import AT_ONCE
from unskew.training.replicas.descent import descend
from unskew.training.replicas.examples import Examples, examples_of
from unskew.training.replicas.joint.norm import Norm
from unskew.training.replicas.kin import kinship, likeness
from unskew.training.replicas.layers import names_in_float32, vmappable
from unskew.training.replicas.losses import losses_of
from unskew.training.replicas.stack import Part, Stack
from unskew.training.short import gather, is_short
from unskew.training.trainer import REPORT_EVERY, Trainer

Listener = Callable[[Event], None]
Tensors = dict[str, Tensor]

IMAGES_AT_ONCE = {"cpu": 4000, "cuda": 32_000}
"""Of all replicas together at prediction; changes speed and memory, not results. What a network
that `reads_batch` looks at together is for its results, hence as it is alone."""

COUNTER = "num_batches_tracked"
"""Of a norm. Nothing reads it while runs train, so all are counted up in one go."""


def _ignore(event: Event) -> None:
    """Hear nothing."""


class Replicas:
    """Trains several runs of one `kinship` together, on one device, step by step.

    Each is a `Trainer` of its own and keeps its state current: what `save` gives goes on alone, and
    one restored from a run that trained alone goes on here.
    Losses agree with those of training alone up to the rounding of another order of sums. A run
    that diverges is left behind; it disturbs no other.

    Parameters
    ----------
    trainers: at the same epoch and step; recipes differ in `kin.OWN` and in what a remedy may do
        for each run (`kin.OWN_HOOKS`) only.

    Attributes
    ----------
    diverged: for each run, why its loss has left the rails; empty while it has not.
    engine: how a step is computed, for people: "graph", or "plain" and why.

    Raises
    ------
    ValueError: the runs cannot train together.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        _check(trainers)
        self.trainers = list(trainers)
        first = trainers[0]
        self._recipe, self._dtype = first.recipe, first.dtype
        self._kinds = [likeness(trainer.recipe) for trainer in trainers]
        self._device = first.train_batches.device
        self._network = vmappable(first.state.network)
        self._in_float32 = names_in_float32(self._network)
        self._stack = Stack(
            [trainer.state.network for trainer in trainers],
            [trainer.state.optimizer for trainer in trainers],
            self._in_float32,
        )
        self.diverged = [""] * len(self.trainers)
        self.engine = "graph"
        self._losses: list[Tensor] = []
        self._right = torch.zeros(len(self.trainers), dtype=torch.int64, device=self._device)
        optimizers = [trainer.state.optimizer for trainer in trainers]
        self._decays = self._moved(
            [[g["weight_decay"] for g in o.param_groups] for o in optimizers]
        )

    # -- the loop -------------------------------------------------------------------------

    def fit(
        self,
        listen: Sequence[Listener] | None = None,
        after_epoch: Sequence[Callable[[State], None]] | None = None,
    ) -> None:
        """Train all runs to the end of their recipes.

        Parameters
        ----------
        listen, after_epoch: one for each run, as `Trainer.fit` takes them.
        """
        while not self.finished:
            for _ in self.epoch(listen):
                pass
            for state, keep in zip(self.save(), after_epoch or [], strict=False):
                if state is not None:
                    keep(state)

    @property
    def finished(self) -> bool:
        """Whether every run is done or has diverged."""
        return all(trainer.finished for trainer in self._alive())

    def save(self) -> list[State | None]:
        """Each run's state between two steps, complete, as `Trainer.save` gives it.

        None for a run that has diverged.
        """
        self._settle()
        return [
            None if why else trainer.save()
            for trainer, why in zip(self.trainers, self.diverged, strict=True)
        ]

    def epoch(self, listen: Sequence[Listener] | None = None) -> Iterator[int]:
        """Train what is left of the current epoch, yielding the steps done after each step."""
        listen, mark = listen or [_ignore] * len(self.trainers), time.perf_counter()
        # A run that has diverged keeps its place among the tensors, and stays at its old epoch.
        # It shows what another one shows.
        drawn = [
            None if why else trainer.begin_epoch(heard)
            for trainer, heard, why in zip(self.trainers, listen, self.diverged, strict=True)
        ]
        of_all = next(epoch for epoch in drawn if epoch is not None)
        epochs = [epoch or of_all for epoch in drawn]
        leader, steps, shown = self._alive()[0], of_all.steps, len(of_all.indices)
        if any(len(epoch.indices) != shown for epoch in epochs):
            raise ValueError("runs that train together show as many images an epoch")
        examples = examples_of(leader, epochs)
        criteria = [None if epoch is None else epoch.criterion for epoch in drawn]
        plain_step = self._step_of(examples, losses_of(self._kinds, criteria))
        step_of_all = Captured(plain_step, self._device)
        step, shapes = leader.state.position.step, list[torch.Size]()
        while step < steps and not leader.out_of_steps(len(self._losses)):
            size, inputs = examples.inputs(step)
            taken = (self._rates(steps), *inputs)
            shapes = shapes or [tensor.shape for tensor in taken]
            # A shorter last batch does not fit what is recorded.
            fits = shapes == [tensor.shape for tensor in taken]
            loss, right = step_of_all(*taken) if fits else plain_step(*taken)
            self._losses.append(loss.clone())
            self._right += right
            step += 1
            for trainer in self._alive():
                trainer.state.position.step = step
                trainer.state.position.seen += size
            if step % REPORT_EVERY == 0 or step == steps:
                self._settle()
                mark = self._clock(mark)
                for trainer, heard in zip(self.trainers, listen, strict=True):
                    if trainer in self._alive():
                        trainer.tell(heard, steps)
                if not self._alive():
                    self._note_engine(step_of_all)
                    return
                leader = self._alive()[0]
            yield step
        self._settle()
        self._note_engine(step_of_all)
        self._gather_statistics(examples, step, steps)
        self._clock(mark)  # a run by itself is charged for it as well
        self._end_epoch(listen)

    def _note_engine(self, step: Captured) -> None:
        self.engine = f"plain: {step.reason}" if step.reason else "graph"

    @property
    def kernels(self) -> str:
        """What the layers are computed with, for people: "fused", or "plain" and why."""
        off = "the recipe does without kernels" if self._recipe.kernels == "off" else ""
        reason = off or triton_at_hand.why_not(self._device)
        return f"plain: {reason}" if reason else "fused"

    def _kernels_as_asked(self) -> AbstractContextManager[None]:
        return triton_at_hand.wanting(self._recipe.kernels != "off")

    def _step_of(
        self, examples: Examples, losses_of_all: Callable[..., Tensor]
    ) -> Callable[..., tuple[Tensor, ...]]:
        """A step of all runs: (rates, the examples' inputs) to (losses, right)."""

        def step(rates: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
            images, labels, *mixed = examples(*inputs)
            used = [self._used(part).requires_grad_() for part in self._stack.parts]
            with self._kernels_as_asked():
                logits = self._forward(images, used, training=True).float()
                losses = losses_of_all(logits, labels, *mixed)
                gradients = torch.autograd.grad(losses.sum(), used)
            self._descend(gradients, rates)
            right = (logits.detach().argmax(dim=2) == labels).sum(dim=1)
            return losses.detach(), right

        return step

    def _used(self, part: Part) -> Tensor:
        """The weights in the format that layers use them in, as autocast has it."""
        return part.weights.detach().to(torch.float32 if part.in_float32 else self._dtype)

    def _forward(self, images: Tensor, used: Sequence[Tensor], training: bool) -> Tensor:
        """Logits (R, B, K) of images (R, B, 3, H, W), or (B, 3, H, W) for all runs the same.

        Parameters
        ----------
        used: `_used` of each part.
        """
        self._network.train(training)
        parameters: Tensors = {}
        for part, rows in zip(self._stack.parts, used, strict=True):
            parameters |= part.each(rows)
        buffers = {name: self._cast(name, tensor) for name, tensor in self._stack.buffers.items()}
        if training:
            counters = [buffers[name] for name in buffers if name.endswith(COUNTER)]
            if counters:
                torch._foreach_add_(counters, 1)

        def one(parameters: Tensors, buffers: Tensors, images: Tensor) -> Tensor:
            logits: Tensor = functional_call(self._network, (parameters, buffers), (images,))
            return logits

        own = 0 if images.dim() == 5 else None
        logits: Tensor = vmap(one, in_dims=(0, 0, own), randomness="different")(
            parameters, buffers, images.to(self._dtype)
        )
        return logits

    def _cast(self, name: str, buffer: Tensor) -> Tensor:
        """As `_used`; counters, and what layers keep in float32, are not copied: they change."""
        kept = name in self._in_float32 or not buffer.is_floating_point()
        return buffer if kept else buffer.to(self._dtype)

    def _descend(self, gradients: Sequence[Tensor], rates: Tensor) -> None:
        for part, gradient in zip(self._stack.parts, gradients, strict=True):
            descend(
                part.weights, gradient.float(), part.momenta, rates[part.group],
                self._decays[part.group], self._recipe.momentum, self._recipe.nesterov,
            )  # fmt: skip

    # -- what each run has of its own ---------------------------------------------------------

    def _rates(self, steps: int) -> Tensor:
        """Learning rates of the next step, as `_moved` gives them."""
        rates = [trainer.rates(steps) for trainer in self.trainers]
        for trainer, own in zip(self.trainers, rates, strict=True):
            for group, rate in zip(trainer.state.optimizer.param_groups, own, strict=True):
                group["lr"] = rate
        return self._moved(rates)

    def _moved(self, by_run: Sequence[Sequence[float]]) -> Tensor:
        """A number for each run and group, as float32 (groups, R) on the device."""
        return moved(torch.tensor(by_run, dtype=torch.float32).t().contiguous(), self._right)

    def _alive(self) -> list[Trainer]:
        return [t for t, why in zip(self.trainers, self.diverged, strict=True) if not why]

    # -- bookkeeping --------------------------------------------------------------------------

    def _settle(self) -> None:
        """Fetch what is still on the device into the runs' states, in one go."""
        losses = torch.stack(self._losses, dim=1).tolist() if self._losses else []
        right = self._right.tolist()
        self._losses.clear()
        self._right.zero_()
        for run, trainer in enumerate(self.trainers):
            if not self.diverged[run]:
                try:
                    trainer.record(losses[run] if losses else [], right[run])
                except Diverged as error:
                    self.diverged[run] = str(error)

    def _clock(self, mark: float) -> float:
        """Each run is charged its share of the time that all took."""
        now = time.perf_counter()
        for trainer in self._alive():
            trainer.state.position.seconds += (now - mark) / len(self.trainers)
        return now

    def _gather_statistics(self, examples: Examples, done: int, steps: int) -> None:
        """As `Trainer` does after `done` of an epoch's steps."""
        if not is_short(self._recipe, self.trainers[0].stages, steps):
            return
        norms = [module for module in self._network.modules() if isinstance(module, Norm)]
        used = [self._used(part) for part in self._stack.parts]

        def show(step: int) -> None:
            images, *_ = examples(*examples.inputs(step)[1])
            with self._kernels_as_asked():
                self._forward(images, used, training=True)

        gather(norms, done, show)

    def _end_epoch(self, listen: Sequence[Listener]) -> None:
        logits = self._predict(self.trainers[0].judged_batches)
        for run, (trainer, heard) in enumerate(zip(self.trainers, listen, strict=True)):
            if not self.diverged[run]:
                trainer.end_epoch(logits[run], heard, by_itself=False)

    @torch.no_grad()
    def _predict(self, batches: Batches) -> Tensor:
        """Logits of all images by each run's network, float32 (R, N, K)."""
        indices = torch.arange(len(batches), device=self._device)
        reads_batch = self.trainers[0].state.network.reads_batch
        at_once = IMAGES_AT_ONCE[self._device.type]
        size = AT_ONCE if reads_batch else max(at_once // len(self.trainers), 1)
        used = [self._used(part) for part in self._stack.parts]
        with self._kernels_as_asked():
            parts = [
                self._forward(batches.images(part), used, training=False)
                for part in indices.split(size)
            ]
        return torch.cat(parts, dim=1).float()


def _check(trainers: Sequence[Trainer]) -> None:
    kin = {kinship(trainer.recipe) for trainer in trainers}
    if len(kin) != 1 or None in kin:
        raise ValueError("these recipes cannot train together: see unskew.training.replicas.kin")
    at = {(t.state.position.stage, t.state.position.epoch, t.state.position.step) for t in trainers}
    if len(at) != 1:
        raise ValueError("runs that train together stand at the same epoch and step")
