import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from unskew.data.skew import StepSkew
from unskew.errors import UserError
from unskew.models.base import Network
from unskew.models.cnn import CNN
from unskew.remedies.base import Draw, Remedy, Stage
from unskew.remedies.registry import names
from unskew.training.checkpoint import load_state, save_state
from unskew.training.divergence import Diverged, check_losses
from unskew.training.events import EpochBegan, EpochEnded, StepsDone
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

SMALL = Recipe(model="cnn", model_options={}, epochs=2, batch_size=32)


def weights(trainer):
    return {key: value.clone() for key, value in trainer.state.network.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[key], b[key]) for key in a)


def trained(recipe, splits):
    trainer = Trainer(recipe, splits)
    trainer.fit()
    return trainer


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", ["cnn", "lstm"])
def test_the_same_recipe_gives_bit_identical_weights(splits, model, precision):
    recipe = SMALL.with_(model=model, epochs=1, max_steps=4, precision=precision)
    first, second = trained(recipe, splits), trained(recipe, splits)
    assert same(weights(first), weights(second))
    assert first.state.history.losses == second.state.history.losses
    other = trained(recipe.with_(seed=1), splits)
    assert not same(weights(first), weights(other))


def test_it_learns(splits):
    history = trained(SMALL.with_(epochs=3), splits).state.history
    assert history.epochs[-1].test_accuracy > 0.9
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss / 2
    assert len(history.losses) == 3 * 8  # 240 images are 7 batches of 32 and one of 16


STOPS = [1, 7, 8, 9, 15]
RESUMED = [
    {"model": "lstm", "model_options": {"hidden_size": 32}, "precision": "bfloat16"},
    {"optimizer": "adamw", "augmentation": "flip_crop", "schedule": "one_cycle"},
]


@pytest.fixture(scope="module", params=RESUMED, ids=["bfloat16", "adamw"])
def never_stopped(request, splits):
    """A run that was never stopped."""
    return trained(SMALL.with_(**request.param), splits)


@pytest.mark.parametrize("stop", STOPS)
def test_stopped_after_any_step_and_resumed_is_never_having_stopped(
    splits, tmp_path, stop, never_stopped
):
    recipe = never_stopped.recipe

    stopped, steps = Trainer(recipe, splits), 0
    while steps < stop:
        for _ in stopped.epoch():
            steps += 1
            if steps == stop:
                break
    save_state(stopped.save(), tmp_path / "state")

    torch.manual_seed(1234)  # another process has another generator state
    resumed = Trainer(recipe, splits)
    resumed.restore(load_state(tmp_path / "state"))
    resumed.fit()
    assert same(weights(never_stopped), weights(resumed))
    assert never_stopped.state.history.losses == resumed.state.history.losses
    for a, b in zip(never_stopped.state.history.epochs, resumed.state.history.epochs, strict=True):
        assert (a.train_accuracy, a.test_accuracy, a.train_loss) == (
            b.train_accuracy,
            b.test_accuracy,
            b.train_loss,
        )


def test_a_damaged_checkpoint_is_one_sentence(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="delete it to start this run afresh"):
        load_state(path)


def test_training_leaves_the_callers_generator_alone(splits):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    trained(SMALL.with_(epochs=1), splits)
    assert torch.equal(before, torch.get_rng_state())


@pytest.fixture
def drawing(monkeypatch):
    """The recipe of a remedy that draws from PyTorch's own generator, as users' may."""
    names()  # registers the package's own, which are to stay
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))

    @dataclass(frozen=True)
    class Noise(Remedy):
        name = "noise"

        def transform(self, batch, facts, rng):
            return batch.with_(images=batch.images + 0.1 * torch.randn_like(batch.images))

    return SMALL.with_(remedy="noise")


def test_what_a_users_remedy_draws_follows_from_the_seed(splits, drawing, tmp_path):
    """After other runs in the process, after another seed, and gone on with in mid-epoch."""
    torch.manual_seed(1)
    whole = trained(drawing, splits)
    torch.manual_seed(2)
    stopped = Trainer(drawing, splits)
    for steps in stopped.epoch():
        if steps == 2:
            break
    save_state(stopped.save(), tmp_path / "state")
    torch.manual_seed(3)
    resumed = Trainer(drawing, splits)
    resumed.restore(load_state(tmp_path / "state"))
    resumed.fit()
    assert same(weights(whole), weights(resumed))
    assert not same(weights(whole), weights(trained(drawing.with_(seed=1), splits)))


def test_no_generator_of_a_gpu_is_seeded(splits, monkeypatch):
    """Nobody would put it back; and new weights would depend on the device."""

    def fail(seed):
        raise AssertionError("torch.manual_seed seeds every GPU")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", fail)
    trained(SMALL.with_(remedy="crt"), splits)


@pytest.mark.gpu
def test_a_second_stage_begins_with_the_same_weights_on_any_device(splits):
    drawn = []
    for device in ("cpu", "cuda"):
        trainer = Trainer(SMALL.with_(remedy="crt"), splits, device)
        list(trainer.epoch())
        assert trainer.state.position.stage == 1
        drawn.append(trainer.state.network.classifier.weight.detach().cpu())
    assert torch.equal(*drawn)


def test_events_tell_the_story(splits):
    events = []
    Trainer(SMALL, splits).fit(events.append)
    assert [type(event) for event in events] == [EpochBegan, StepsDone, EpochEnded] * 2
    assert events[0] == EpochBegan(1, 2, 8)
    assert events[-1].record.epoch == 2


def test_max_steps_stops_in_the_middle_of_an_epoch(splits):
    history = trained(SMALL.with_(max_steps=11), splits).state.history
    assert len(history.losses) == 11
    assert len(history.epochs) == 2


def test_validation_never_touches_the_test_images(splits):
    trainer = Trainer(SMALL.with_(validation=0.25), splits)
    assert trainer.shown.split == "validation"
    assert len(trainer.shown.judged) == 60
    assert trainer.shown.judged.images is splits.train
    assert not set(trainer.shown.judged.positions) & set(trainer.shown.train.positions)


def test_skews_act_on_the_half_they_name(splits):
    step = {"profile": "step", "classes": (0,), "keep": 0.1}
    shown = Trainer(SMALL.with_(skew=step), splits).shown
    assert shown.train.counts().tolist() == [6, 60, 60, 60]
    assert shown.judged.counts().tolist() == [20] * 4
    shown = Trainer(SMALL.with_(test_skew=step), splits).shown
    assert shown.train.counts().tolist() == [60] * 4
    assert shown.judged.counts().tolist() == [2, 20, 20, 20]
    assert shown.split == "skewed test"


def test_a_batch_larger_than_the_data_is_refused(splits):
    with pytest.raises(UserError, match="batch_size 500 is larger than the 240"):
        Trainer(SMALL.with_(batch_size=500), splits)


def test_a_validation_that_no_class_can_spare_an_image_for_is_refused(splits):
    one_each = StepSkew(classes=tuple(range(splits.train.num_classes)), keep=1e-4)
    with pytest.raises(UserError, match="no image is left to judge by"):
        Trainer(SMALL.with_(skew=one_each, validation=0.5, batch_size=2), splits)


@pytest.fixture(scope="module")
def unchanged(splits):
    """A run by the recipe that others change a setting of."""
    return trained(SMALL.with_(precision="float32"), splits)


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.02}, {"momentum": 0.0}, {"nesterov": True}, {"weight_decay": 0.1},
        {"batch_size": 30}, {"optimizer": "adamw"}, {"schedule": "cosine"},
        {"schedule": "one_cycle"}, {"schedule": "step", "milestones": (1,)},
        {"warmup_epochs": 1}, {"augmentation": "none"}, {"augmentation": "flip_crop"},
        {"drop_last": True}, {"alternate_flips": True}, {"label_smoothing": 0.1},
        {"precision": "bfloat16"}, {"seed": 1},
        {"model_options": {"hidden": 8}}, {"decay": "weights", "weight_decay": 0.1},
    ],
)  # fmt: skip
def test_every_setting_acts(splits, unchanged, changes):
    changed = trained(unchanged.recipe.with_(**changes), splits)
    assert unchanged.state.history.losses[1:] != changed.state.history.losses[1:]


def test_decay_on_weights_only_acts(splits):
    base = SMALL.with_(weight_decay=0.1)
    everything, only = trained(base, splits), trained(base.with_(decay="weights"), splits)
    assert everything.state.history.losses != only.state.history.losses


def test_a_huge_learning_rate_diverges_with_a_clear_message(splits):
    with pytest.raises(Diverged, match="lower the learning rate"):
        Trainer(SMALL.with_(learning_rate=1e20, epochs=10), splits).fit()


def test_divergence_is_growth_or_nan_and_not_noise():
    check_losses([2.3, 9.0, 2.3] * 30)
    with pytest.raises(Diverged, match="nan at step 2"):
        check_losses([2.3, math.nan, 2.3])
    with pytest.raises(Diverged, match="grew from 2 to 50"):
        check_losses([2.0] * 30 + [50.0] * 30)
    check_losses([2.0] * 30 + [50.0] * 60, since=30)  # something else is minimised
    with pytest.raises(Diverged, match="from 50 to 600 by step 90"):
        check_losses([2.0] * 30 + [50.0] * 30 + [600.0] * 30, since=30)


def test_an_objective_on_another_scale_is_no_divergence(splits):
    recipe = Recipe(
        model="lstm", model_options={"hidden_size": 32}, remedy="influence_balanced",
        skew=StepSkew(classes=(0, 1), keep=0.5),
        remedy_options={"influence_balanced": {"alpha": 1e5}}, learning_rate=1e-9, epochs=60,
        batch_size=32, precision="float32",
    )  # fmt: skip
    trainer = Trainer(recipe, splits)
    trainer.fit()
    losses = trainer.state.history.losses
    assert max(losses[-25:]) > 10 * losses[0]


@dataclass(frozen=True)
class EveryOther(Remedy):
    """Shows the first half of the images only, in order."""

    def draw(self, facts, epoch, rng):
        return Draw(np.arange(len(facts.labels) // 2))


@dataclass(frozen=True)
class TwoStages(Remedy):
    def stages(self, epochs):
        return (
            Stage("first", epochs - 1),
            Stage(
                "second", 1, classifier_only=True, reset_classifier=True, remedy=EveryOther(),
                learning_rate=0.5,
            ),
        )  # fmt: skip


def with_remedy(monkeypatch, remedy):
    monkeypatch.setattr("unskew.training.fitting.make_remedy", lambda *_: remedy)


def test_a_second_stage_trains_the_classifier_alone(splits, monkeypatch):
    with_remedy(monkeypatch, TwoStages())
    trainer = Trainer(SMALL.with_(epochs=3), splits)
    for _ in range(2):
        for _ in trainer.epoch():
            pass
    before = weights(trainer)
    for _ in trainer.epoch():
        pass
    assert trainer.finished
    changed = {
        key for key, value in weights(trainer).items() if not torch.equal(value, before[key])
    }
    assert changed == {"classifier.weight", "classifier.bias"}
    first, second = trainer.state.history.epochs[-2:]
    assert (first.stage, second.stage) == ("first", "second")
    assert second.learning_rate == pytest.approx(0.5 * first.learning_rate)
    assert len(trainer.state.history.losses) == 2 * 8 + 4


@pytest.mark.parametrize("stop", [8, 16, 18])
def test_a_run_in_stages_resumes_exactly(splits, monkeypatch, tmp_path, stop):
    with_remedy(monkeypatch, TwoStages())
    recipe = SMALL.with_(epochs=3)
    test_stopped_after_any_step_and_resumed_is_never_having_stopped(
        splits, tmp_path, stop, trained(recipe, splits)
    )


def test_what_a_network_has_frozen_itself_stays_so(splits, monkeypatch):
    """No stage takes it in."""
    monkeypatch.setattr(Network, "known", dict(Network.known))

    class HalfFrozen(CNN):
        name = "half_frozen"

        def __init__(self, num_classes, image_size=32):
            super().__init__(num_classes, image_size, hidden=8)
            self.convolutions.requires_grad_(False)

    trainer = Trainer(SMALL.with_(model="half_frozen", epochs=2, remedy="crt"), splits)
    before = {k: v.clone() for k, v in trainer.state.network.named_parameters()}
    trainer.fit()
    after = dict(trainer.state.network.named_parameters())
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"hidden", "classifier"}


def test_a_single_image_left_over_is_not_a_batch(splits):
    # 240 = 239 + 1: BatchNorm cannot take a batch of one.
    assert len(trained(SMALL.with_(epochs=1, batch_size=239), splits).state.history.losses) == 1


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_saved_state_is_a_snapshot(splits, optimizer):
    recipe = SMALL.with_(epochs=3, optimizer=optimizer)
    states, seen = [], []
    trainer = Trainer(recipe, splits)
    trainer.fit(after_epoch=lambda state: (states.append(state), seen.append(weights(trainer))))
    other = Trainer(recipe, splits)
    other.restore(states[0])  # and both go on from it
    trainer.restore(states[0])
    assert same(weights(trainer), seen[0])
    assert len(trainer.state.history.losses) == 8
    other.fit()
    trainer.fit()
    assert same(weights(trainer), seen[2])
    assert same(weights(other), seen[2])


def test_restoring_forgets_the_steps_since(splits):
    trainer = Trainer(SMALL, splits)
    begin = trainer.save()
    for done in trainer.epoch():
        if done == 5:  # not looked at yet: their losses are still to be fetched
            break
    trainer.restore(begin)
    trainer.fit()
    whole = trained(SMALL, splits)
    assert trainer.state.history.losses == whole.state.history.losses
    assert trainer.state.history.epochs[0].train_accuracy == (
        whole.state.history.epochs[0].train_accuracy
    )


def test_the_subset_follows_its_own_seed_and_not_that_of_training(splits):
    skew = {"profile": "step", "classes": (0, 1), "keep": 0.2}
    base = SMALL.with_(skew=skew, validation=0.25)

    def shown(**changes):
        found = Trainer(base.with_(**changes), splits).shown
        return found.train.positions.tolist(), found.judged.positions.tolist()

    assert shown() == shown(seed=1)
    assert all(a != b for a, b in zip(shown(), shown(subset_seed=1), strict=True))


def test_a_device_is_given_by_name_or_as_pytorch_has_it(splits):
    trainer = Trainer(Recipe(max_steps=1, batch_size=32), splits, torch.device("cpu"))
    assert trainer.device == "cpu"
