"""A recorded step does what the step does, for every remedy and optimiser.

On a CPU a `Tape` stands in for the CUDA graph; `-m gpu` has the graph itself.
"""

import gc
import weakref
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.training.tape import Taped
from unskew.data.skew import StepSkew
from unskew.remedies.base import Batch, Remedy
from unskew.remedies.compose import compose
from unskew.remedies.losses.focal import Focal
from unskew.remedies.registry import make_remedy, names
from unskew.training import replayed, trainer
from unskew.training.captured import PLAIN_CALLS, Captured
from unskew.training.flat import flatten, unflatten
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

# Late epochs, second stages and rates that change in every step; a last batch that is shorter.
RECIPE = Recipe(
    model="whitened_cnn", model_options={"width": 8}, batch_size=24, epochs=3,
    skew=StepSkew(classes=(0, 1), keep=0.5), weight_decay=1e-3, schedule="one_cycle",
    precision="float32", kernels="off",
)  # fmt: skip
SHIPPED = ["none", *names()]
MUON = {"optimizer": "muon"}
OPTIMISERS = [
    {"optimizer": "adamw"},
    {"nesterov": True, "bias_learning_rate": 0.2},
    {"momentum": 0.0},
    MUON,
]


@pytest.fixture
def on_tape(monkeypatch):
    """Steps are recorded on a CPU as well; a list of the recordings."""
    made = []

    def taped(function, device):
        made.append(Taped(function, device))
        return made[-1]

    for module in (replayed, trainer):
        monkeypatch.setattr(module, "RECORDED_ON", {"cpu"})
    monkeypatch.setattr(replayed, "Captured", taped)
    return made


def trained(recipe, splits, device="cpu"):
    found = Trainer(recipe, splits, device)
    found.fit()
    return found


def as_alike(first, second, **tolerance):
    """Whether two runs took the same steps."""
    losses = [torch.tensor(run.state.history.losses) for run in (first, second)]
    torch.testing.assert_close(*losses, **tolerance)
    torch.testing.assert_close(
        *(dict(run.state.network.state_dict()) for run in (first, second)), **tolerance
    )
    accuracies = [[e.train_accuracy for e in run.state.history.epochs] for run in (first, second)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=tolerance.get("atol", 0.0))


def not_recorded(monkeypatch):
    """The same steps, rates as tensors among them, without their recordings."""
    monkeypatch.setattr(replayed, "Captured", Captured)


@pytest.mark.parametrize("remedy", [*SHIPPED, "ldam+drw", "mixup+weight_balancing"])
def test_every_remedys_step_can_be_replayed(splits, on_tape, monkeypatch, remedy):
    recipe = RECIPE.with_(remedy=remedy)
    if remedy in {"cutmix", "undersample"}:  # half of the batches, or of the images
        recipe = recipe.with_(batch_size=16)
    recorded = trained(recipe, splits)
    assert sum(step.replays for step in on_tape) > recipe.epochs
    assert recorded.kernels.endswith(", step: graph")
    not_recorded(monkeypatch)
    as_alike(recorded, trained(recipe, splits), rtol=0, atol=0)


@pytest.mark.parametrize("changes", OPTIMISERS)
def test_every_optimisers_step_can_be_replayed(splits, on_tape, monkeypatch, changes):
    recipe = RECIPE.with_(**changes)
    recorded = trained(recipe, splits)
    assert sum(step.replays for step in on_tape) > recipe.epochs
    not_recorded(monkeypatch)
    as_alike(recorded, trained(recipe, splits), rtol=0, atol=0)


@pytest.mark.parametrize("changes", [{}, *OPTIMISERS])
def test_rates_as_tensors_are_the_rates(splits, on_tape, monkeypatch, changes):
    recipe = RECIPE.with_(**changes, epochs=1)  # rounding grows from step to step
    recorded = trained(recipe, splits)
    monkeypatch.undo()
    plain = trained(recipe, splits)
    assert "step" not in plain.kernels, "a CPU's steps are as they were"
    as_alike(recorded, plain, rtol=1e-3, atol=1e-4)


def test_mixed_and_plain_batches_have_a_recording_each(splits, on_tape):
    trained(RECIPE.with_(remedy="cutmix", epochs=1, batch_size=8), splits)
    mixed, plain, shorter = sorted(on_tape, key=lambda step: -step.replays)
    assert mixed.replays
    assert plain.replays
    assert not shorter.replays, "the last batch"


def test_a_stem_that_rests_and_a_frozen_stage(splits, on_tape, monkeypatch):
    recipe = RECIPE.with_(**MUON, stem_epochs=1, remedy="crt")
    recorded = trained(recipe, splits)
    assert sum(step.replays for step in on_tape) > recipe.epochs
    not_recorded(monkeypatch)
    as_alike(recorded, trained(recipe, splits), rtol=0, atol=0)


# -- what may be recorded --------------------------------------------------------------------


@pytest.fixture
def own(monkeypatch):
    """Lets a test define remedies that do not outlive it."""
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))


def counting(says_so):
    """A remedy whose loss grows with every call, which Python counts; truly or not it says that
    its step may be recorded.
    """

    @dataclass(frozen=True)
    class Counting(Remedy):
        name = "counting"
        calls = 0

        def loss(self, facts, epoch):
            def loss(logits, labels):
                type(self).calls += 1
                return F.cross_entropy(logits, labels, reduction="none") * (1 + self.calls)

            return loss

    if says_so:
        Counting.side_by_side = True
    return Counting


def test_a_users_loss_is_not_recorded(splits, own, on_tape):
    remedy = counting(says_so=False)
    run = trained(RECIPE.with_(remedy="counting"), splits)
    assert not on_tape
    assert remedy.calls == len(run.state.history.losses)
    assert run.kernels.endswith(
        ", step: plain: the remedy does not say that its step may be recorded"
    )


def test_unless_it_says_that_it_may_be(splits, own, on_tape):
    remedy = counting(says_so=True)
    run = trained(RECIPE.with_(remedy="counting"), splits)
    assert run.kernels.endswith(", step: graph")
    assert remedy.calls < len(run.state.history.losses), "so the tape is as blind as a graph"


def test_who_says_what_of_which_step(own):
    @dataclass(frozen=True)
    class Outside(Remedy):
        def transform(self, batch, facts, rng):
            return batch

        def class_weights(self, facts, epoch):
            return torch.ones(facts.num_classes)

    @dataclass(frozen=True)
    class Inside(Remedy):
        def after_step(self, network, facts, epoch):
            pass

    @dataclass(frozen=True)
    class Further(Focal):
        def loss(self, facts, epoch):
            return super().loss(facts, epoch)

    @dataclass(frozen=True)
    class Sure(Further):
        side_by_side = True

    @dataclass(frozen=True)
    class Unsure(Sure):
        def objective(self, *given):
            return None

    assert all(make_remedy(name).replayable() for name in names())
    assert [kind().replayable() for kind in (Outside, Inside, Further, Sure, Unsure)] == [
        True, False, False, True, False
    ]  # fmt: skip
    assert compose([Outside(), Sure(), make_remedy("crt")]).replayable()
    assert not compose([make_remedy("focal"), Inside()]).replayable()
    # In a stage that another remedy has set up a part goes on acting.
    stages = compose([make_remedy("crt"), Inside()]).stages(5)
    assert not any(stage.remedy.replayable() for stage in stages if stage.remedy is not None)


# -- what a recording leaves as it was -------------------------------------------------------


def test_between_steps_rates_are_floats(splits, on_tape):
    run = Trainer(RECIPE, splits)
    seen = []
    while not run.finished:
        for _ in run.epoch():
            seen += [group["lr"] for group in run.state.optimizer.param_groups]
    assert {type(rate) for rate in seen} == {float}
    assert len(set(seen)) > len(seen) / 3
    assert all(type(epoch.learning_rate) is float for epoch in run.state.history.epochs)


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adamw"}])
def test_stopped_in_a_recording_and_resumed_is_never_having_stopped(splits, on_tape, changes):
    recipe = RECIPE.with_(remedy="mixup", **changes)
    stopped = Trainer(recipe, splits)
    steps = stopped.epoch()
    for _ in range(PLAIN_CALLS + 4):
        next(steps)
    resumed = Trainer(recipe, splits)
    resumed.restore(stopped.save())
    resumed.fit()
    as_alike(resumed, trained(recipe, splits), rtol=0, atol=0)


def test_a_step_that_fails_puts_the_rates_back():
    weights = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weights], lr=0.5)

    def step(batch):
        assert isinstance(optimizer.param_groups[0]["lr"], torch.Tensor)
        raise RuntimeError("not while recording")

    with pytest.raises(RuntimeError, match="not while recording"):
        replayed.Replayed(step, optimizer, torch.device("cpu"))(batch_of(2))
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_recording_goes_with_its_epoch(splits, on_tape, monkeypatch):
    """Not when Python looks for rings: a recording holds the memory of a step."""
    alive = []
    monkeypatch.setattr(replayed, "Captured", lambda *given: alive.append(0) or kept(*given))

    def kept(function, device):
        made = Taped(function, device)
        alive[-1] = weakref.ref(made)
        return made

    gc.disable()
    try:
        run = Trainer(RECIPE.with_(remedy="sam"), splits)
        for _ in run.epoch():
            assert any(made() for made in alive)
        assert not any(made() for made in alive)
    finally:
        gc.enable()


@pytest.mark.parametrize("remedy", ["none", "sam", "imbalanced_sam", "bcl", "glmc", "lws"])
def test_no_node_of_a_gradient_outlives_its_step(splits, remedy):
    """One that did would tie the recording to the stream that the steps before it were on."""
    run = Trainer(RECIPE.with_(remedy=remedy), splits)
    weight = run.state.network.classifier.weight

    def node():
        return weight.view_as(weight).grad_fn.next_functions[0][0]

    marked = []

    def mark(*_):
        if torch.is_grad_enabled():  # not at prediction
            held = node()
            held.metadata["marked"] = True
            marked.append(node().metadata.get("marked", False))

    run.state.network.classifier.register_forward_hook(mark)
    gc.disable()
    try:
        for _ in run.epoch():
            assert "marked" not in node().metadata
    finally:
        gc.enable()
    assert any(marked) or remedy == "lws", "within a step the node is one and the same"


# -- batches as tensors ----------------------------------------------------------------------


def batch_of(count, **more):
    images = torch.rand(count, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    return Batch(images, torch.arange(count), torch.arange(count) + 7, **more)


def test_a_batch_is_put_together_as_it_was():
    partners = batch_of(3, views=(torch.rand(3, 3, 4, 4),))
    views = (torch.rand(3, 3, 4, 4), torch.rand(3, 3, 4, 4))
    batch = batch_of(3, views=views, partners=partners, share=torch.rand(3))
    tensors, layout = flatten(batch)
    assert len(tensors) == 3 + 1 + 2 + 3 + 1
    again = unflatten(tensors, layout)
    assert again.images is batch.images
    assert again.share is batch.share
    assert all(a is b for a, b in zip(again.views, views, strict=True))
    assert again.partners.views[0] is partners.views[0]
    assert again.copies is None
    assert again.partners.noise is None


def test_layouts_are_equal_where_one_recording_fits():
    layouts = [
        flatten(batch)[1]
        for batch in (
            batch_of(3), batch_of(3), batch_of(2), batch_of(3, share=torch.ones(3)),
            batch_of(3, noise=torch.ones(3)), batch_of(3, partners=batch_of(3)),
            batch_of(3, views=(torch.ones(3),)), batch_of(3, noise=torch.ones(3).bool()),
        )
    ]  # fmt: skip
    assert layouts[0] == layouts[1]
    assert len(set(layouts)) == len(layouts) - 1


# -- on a GPU --------------------------------------------------------------------------------


def trained_plainly(recipe, splits, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(trainer, "RECORDED_ON", frozenset())
        return trained(recipe, splits, "cuda")


def agree_on_gpu(recipe, splits, monkeypatch):
    recorded = trained(recipe, splits, "cuda")
    assert recorded.kernels.endswith(", step: graph"), recorded.kernels
    as_alike(recorded, trained_plainly(recipe, splits, monkeypatch), rtol=1e-2, atol=1e-2)


@pytest.mark.gpu
@pytest.mark.parametrize("remedy", SHIPPED)
def test_on_a_gpu_every_remedys_step_is_a_graph(splits, monkeypatch, remedy):
    agree_on_gpu(RECIPE.with_(remedy=remedy, learning_rate=0.01), splits, monkeypatch)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "changes",
    [{"optimizer": "adamw", "learning_rate": 1e-3}, MUON, {"model": "lstm", "model_options": {}}],
)
def test_on_a_gpu_every_optimisers_step_is_a_graph(splits, monkeypatch, changes):
    agree_on_gpu(RECIPE.with_(**{"learning_rate": 0.01} | changes), splits, monkeypatch)
