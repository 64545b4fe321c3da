"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from unskew.data.batches import Batches
from unskew.data.imageset import Splits
from unskew.data.normalise import channel_statistics
from unskew.data.randomness import stream
from unskew.models.registry import build, network_class
from unskew.remedies.base import Batch, Remedy, Stage
from unskew.training.checkpoint import State
from unskew.training.device import check_device
from unskew.training.divergence import check_losses
from unskew.training.engine import use_kernels
from unskew.training.epoch import Epoch
from unskew.training.events import EpochBegan, EpochEnded, Event, StepsDone
from unskew.training.fitting import check_recipe
from unskew.training.history import EpochRecord
from unskew.training.optimisation import group_rates, make_optimizer, scale_momentum, stage_decay
from unskew.training.precision import autocast, exact_convolutions, resolve
from unskew.training.predict import predict_logits
from unskew.training.recipe import Recipe
from unskew.training.replayed import RECORDED_ON, Replayed, Step
from unskew.training.seeding import gpus, seed_generators, seeded
from unskew.training.short import gather, gathering, is_short
from unskew.training.shown import select
from unskew.training.stages import enter_stage, hold_frozen, rest_stem, trainable
from unskew.training.state import Position, TrainingState
from unskew.training.whitening import fit_whitening

REPORT_EVERY = 25
"""Steps between looks at the loss. A look waits for the device, so it is not taken each step."""


class Trainer:
    """Trains one recipe; can be stopped, saved and restored between any two steps.

    Parameters
    ----------
    recipe: what to run.
    splits: the opened data that the recipe names.
    device: "cpu" or "cuda...".

    Attributes
    ----------
    state: all that changes while training; `save()` gives it complete.
    facts: what remedies may know of the run.
    shown: which images are trained on and which the run is judged by.
    mean, std: of the training images' channels, float32 (3,), in units of 0..255.
    kernels: "fused" and how, or "plain" and why; on a GPU also how the latest epoch's steps were
        computed: as a "graph", or "plain" and why.

    Raises
    ------
    UserError: the recipe does not fit the data, or names an unknown model or remedy, or there is
        no such device.
    """

    def __init__(self, recipe: Recipe, splits: Splits, device: str | torch.device = "cpu") -> None:
        device = str(device)
        check_device(device)
        self.recipe = recipe
        self.device = device
        self.dtype = resolve(recipe.precision, device)
        if torch.device(device).type == "cuda":
            exact_convolutions(self.dtype)
        self.remedy = check_recipe(recipe)
        self.shown = select(recipe, splits, self.remedy.held_out)
        self.mean, self.std = channel_statistics(self.shown.train)
        self.train_batches = Batches(self.shown.train, self.mean, self.std, device)
        self.judged_batches = Batches(self.shown.judged, self.mean, self.std, device)

        with seeded(recipe.seed):
            image_size = splits.train.image_shape[0]
            network = build(
                recipe.model, splits.train.num_classes, image_size, recipe.model_options
            )
            fit_whitening(network, self.shown.train, self.mean, self.std)
            self.facts = self.shown.facts(recipe, network.num_features)
            self.remedy.check(self.facts)
            self.remedy.prepare(network, self.facts)
            auxiliary = self.remedy.auxiliary(self.facts)
        self._trains = trainable(network)
        network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if auxiliary is not None:
            auxiliary.to(device)
        self.kernels = self._kernels = use_kernels(network, device, self.dtype, recipe.kernels)
        self.stages = self.remedy.stages(recipe.epochs)
        optimizer = make_optimizer(recipe, network, auxiliary, self.remedy, recipe.weight_decay)
        self.state = TrainingState(network, auxiliary, optimizer)
        # Not fetched from the device yet, so that no step waits for it: see `_settle`.
        self._losses: list[Tensor] = []
        self._right = torch.zeros((), dtype=torch.int64, device=device)
        self._ended = False
        self._look: Tensor | None = None
        """Logits after the last epoch, while the weights are those."""
        self._enter_stage(fresh=True)

    # -- the loop -------------------------------------------------------------------------

    def fit(
        self,
        listen: Callable[[Event], None] = lambda event: None,
        after_epoch: Callable[[State], None] = lambda state: None,
    ) -> None:
        """Train from where the state stands to the end of the recipe.

        Parameters
        ----------
        listen: told of every epoch's begin and end and, in between, of progress.
        after_epoch: called after each epoch with the state, to save it.

        Raises
        ------
        Diverged: the loss is no longer finite, or has grown far beyond where it began.
        """
        while not self.finished:
            with torch.random.fork_rng(gpus(self.device)):
                for _ in self.epoch(listen):
                    pass
                state = self.save()
            after_epoch(state)

    @property
    def finished(self) -> bool:
        """Whether every stage, or the recipe's `max_steps`, is done."""
        return self.state.position.stage >= len(self.stages) or self.out_of_steps()

    def epoch(self, listen: Callable[[Event], None] = lambda event: None) -> Iterator[int]:
        """Train what is left of the current epoch, yielding the steps done after each step.

        PyTorch's own generators, which a user's remedy may draw from, begin each epoch where the
        recipe's seed says; unlike `fit` this does not put them back afterwards.
        """
        mark = time.perf_counter()
        position, epoch = self.state.position, self.begin_epoch(listen)
        number = len(self.state.history.epochs)
        if position.step == 0:
            carried = self._remedy.carried_over(self.facts, number)
            scale_momentum(self.state.optimizer, carried)
            if carried != 1 or position.epoch == 0:
                position.objective = len(self.state.history.losses)
            drawn = stream(self.recipe.seed, "pytorch", number)
            seed_generators(int(drawn.integers(2**63)), self.device)
        step = self._step_of(epoch, number)
        while position.step < epoch.steps and not self.out_of_steps(len(self._losses)):
            batch = epoch.batch(position.step)
            self._set_rates(epoch.steps)
            loss, right = step(batch)
            self._losses.append(loss)
            self._right += right
            position.step += 1
            position.seen += len(batch.labels)
            if position.step % REPORT_EVERY == 0 or position.step == epoch.steps:
                self._note_engine(step)
                self._settle()
                mark = self._clock(mark)
                self.tell(listen, epoch.steps)
            yield position.step
        self._note_engine(step)
        del step  # and with it the recording's memory, before prediction asks for some
        self._settle()
        self._gather_statistics(epoch)
        self._clock(mark)
        self.end_epoch(predict_logits(self.state.network, self.judged_batches, self.dtype), listen)

    def _step_of(self, epoch: Epoch, number: int) -> Step:
        """A step of this epoch: on a GPU recorded once and replayed, if the remedies allow it.

        A recording is of one epoch, since what follows from the epoch is fixed in it: the loss,
        class weights, stage, frozen parameters.
        """
        step = partial(self._step, epoch=epoch, number=number)
        device = torch.device(self.device)
        # What stage 1 has put into the network goes on acting in the stages after it.
        replayable = (
            network_class(self.recipe.model).side_by_side
            and self.remedy.replayable()
            and self._remedy.replayable()
        )
        if replayable and device.type in RECORDED_ON:
            return Replayed(step, self.state.optimizer, device)
        return step

    def _step(self, batch: Batch, epoch: Epoch, number: int) -> tuple[Tensor, Tensor]:
        """One optimiser step; (loss, images classified right), both on the device."""
        state, criterion = self.state, epoch.criterion
        right: Tensor | None = None

        def backward(classes: Tensor | None = None) -> Tensor:
            nonlocal right
            state.optimizer.zero_grad(set_to_none=True)
            with autocast(self.dtype, self.device):
                special = self._remedy.objective(
                    state.network, state.auxiliary, batch, criterion, self.facts, number
                )
                logits = state.network(batch.images) if special is None else special[1]
            loss = criterion(logits, batch, classes) if special is None else special[0]
            loss.backward()
            if right is None:  # Further passes stand elsewhere than at the weights.
                right = (logits.detach().argmax(dim=1) == batch.labels).sum()
            return loss.detach()

        loss = self._remedy.update(backward, state.optimizer, state.network, self.facts)
        self._remedy.after_step(state.network, self.facts, number)
        assert right is not None
        return loss, right

    def _gather_statistics(self, epoch: Epoch) -> None:
        """Show a short run's norms the epoch's batches again, before new images are looked at."""
        if not is_short(self.recipe, self.stages, epoch.steps):
            return
        network = self.state.network

        def show(step: int) -> None:
            with autocast(self.dtype, self.device):
                network(epoch.batch(step).images)

        gather(gathering(network), self.state.position.step, show)

    # -- bookkeeping --------------------------------------------------------------------------

    def _note_engine(self, step: Step) -> None:
        """Note how a GPU computes the steps."""
        if torch.device(self.device).type in RECORDED_ON:
            plain = "plain: the remedy does not say that its step may be recorded"
            engine = step.engine if isinstance(step, Replayed) else plain
            self.kernels = f"{self._kernels}, step: {engine}"

    def _set_rates(self, steps: int) -> None:
        groups = self.state.optimizer.param_groups
        for group, rate in zip(groups, self.rates(steps), strict=True):
            group["lr"] = rate

    def _settle(self) -> None:
        """Fetch what is still on the device into the state; stop if the loss has gone wrong."""
        losses, right = [], 0
        if self._losses:
            losses, right = torch.stack(self._losses).tolist(), int(self._right)
            self._losses.clear()
            self._right.zero_()
        self.record(losses, right)

    def _clock(self, mark: float) -> float:
        now = time.perf_counter()
        self.state.position.seconds += now - mark
        return now

    # -- what a run does beside its steps, for `Replicas` as well ------------------------------

    def begin_epoch(self, listen: Callable[[Event], None] = lambda event: None) -> Epoch:
        """Draw the current epoch, and put the network into the mode that it trains in."""
        state, stage = self.state, self._stage
        self._look = None
        number = len(state.history.epochs)
        epoch = Epoch(self.recipe, self._remedy, self.facts, self.train_batches, number)
        listen(EpochBegan(number + 1, sum(s.epochs for s in self.stages), epoch.steps))
        hold_frozen(state.network, stage, self._trains)
        rest_stem(state.network, self.recipe.stem_epochs, state.position.epoch)
        return epoch

    def rates(self, steps: int) -> list[float]:
        """The next step's learning rate of each of the optimiser's groups.

        Parameters
        ----------
        steps: of the epoch.
        """
        position = self.state.position
        step = position.epoch * steps + position.step
        return group_rates(self.state.optimizer, self.recipe, self._stage, step, steps)

    def out_of_steps(self, pending: int = 0) -> bool:
        """Whether the recipe's `max_steps` are done.

        Parameters
        ----------
        pending: steps that are done and not yet recorded.
        """
        limit = self.recipe.max_steps
        return limit is not None and len(self.state.history.losses) + pending >= limit

    def record(self, losses: Sequence[float], right: int) -> None:
        """Take in the losses of the latest steps and how many images they classified right.

        Raises
        ------
        Diverged: the loss is no longer finite, or has grown far beyond where it began.
        """
        self.state.history.losses += losses
        self.state.position.correct += right
        check_losses(self.state.history.losses, self.state.position.objective)

    def tell(self, listen: Callable[[Event], None], steps: int) -> None:
        """Announce how far the epoch is."""
        position = self.state.position
        loss = self.state.history.losses[-1]
        listen(StepsDone(position.step, steps, loss, position.rate))

    def end_epoch(
        self,
        logits: Tensor,
        listen: Callable[[Event], None] = lambda event: None,
        *,
        by_itself: bool = True,
    ) -> None:
        """Note how the epoch went and move on to the next one, or the next stage.

        Parameters
        ----------
        logits: float (N, K), of the images that the run is judged by.
        by_itself: whether they are `predict_logits`'s. Those of many networks at once are rounded
            otherwise, and a run is not to be judged by them.
        """
        position, history = self.state.position, self.state.history
        self._look = logits if by_itself else None
        right = (logits.argmax(dim=1) == self.judged_batches.labels).float().mean()
        losses = history.losses[-position.step :]
        record = EpochRecord(
            epoch=len(history.epochs) + 1,
            stage=self._stage.name,
            train_loss=sum(losses) / len(losses),
            train_accuracy=position.correct / position.seen,
            test_accuracy=float(right),
            learning_rate=float(self.state.optimizer.param_groups[0]["lr"]),
            seconds=position.seconds,
            images_per_second=position.rate,
        )
        history.epochs.append(record)
        next_epoch = position.epoch + 1
        # A stage that `max_steps` forbids to begin is not entered, or its optimiser would be saved.
        begun = position.objective
        if next_epoch < self._stage.epochs or self.out_of_steps():
            self.state.position = Position(position.stage, next_epoch, objective=begun)
        else:
            self.state.position = Position(position.stage + 1, objective=begun)
            if not self.finished:
                self._enter_stage(fresh=True)
        listen(EpochEnded(record))

    def judge(self) -> Tensor:
        """Let the remedy finish what it does after training, and look at the judged images.

        Returns
        -------
        float32 (N, K) on the device, under the recipe's test views and before any adjustment.
            The look after the last epoch is not taken again where a second would be the same.
        """
        if not self._ended:
            self.remedy.after_training(self.state.network, self.facts)
            self._ended = True
        views = self.recipe.test_views
        unchanged = views == "one" and "after_training" not in self.remedy.overrides()
        if self._look is not None and unchanged:
            return self._look
        return predict_logits(self.state.network, self.judged_batches, self.dtype, views=views)

    # -- stages and resuming ------------------------------------------------------------------

    @property
    def _stage(self) -> Stage:
        return self.stages[min(self.state.position.stage, len(self.stages) - 1)]

    @property
    def _remedy(self) -> Remedy:
        return self._stage.remedy or self.remedy

    def _enter_stage(self, fresh: bool) -> None:
        """Freeze, reset and build the optimiser as the stage at hand wants it."""
        stage = self._stage
        if fresh:
            enter_stage(self.state.network, stage, self.recipe.seed, self.state.position.stage)
        hold_frozen(self.state.network, stage, self._trains)
        self.state.optimizer = make_optimizer(
            self.recipe,
            self.state.network,
            self.state.auxiliary,
            self._remedy,
            stage_decay(self.recipe, stage),
        )

    def save(self) -> State:
        """The state between two steps, complete: `restore` goes on from it.

        It names the run that it is of, and says whether what follows training has been done.
        """
        self._settle()
        tensors, rest = self.state.state_dict()
        return tensors, {**rest, "run": self.recipe.run_id, "ended": self._ended}

    def restore(self, state: State) -> None:
        """Go on from what `save` gave, in this or another process."""
        self._look, self._ended = None, bool(state[1].get("ended", False))
        self._losses.clear()  # of steps that are not taken back one by one
        self._right.zero_()
        self.state.position = Position(**state[1]["position"])
        self._enter_stage(fresh=False)
        self.state.load_state_dict(state)
