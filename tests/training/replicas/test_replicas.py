"""Runs that train together are the runs that train alone."""

from dataclasses import dataclass

import pytest
import torch

from tests.gpu import waiting_forbidden
from unskew.data.skew import StepSkew
from unskew.errors import UserError
from unskew.models.registry import names as models
from unskew.remedies.base import IN_THE_STEP, Remedy
from unskew.remedies.registry import make_remedy
from unskew.remedies.registry import names as remedies
from unskew.training.checkpoint import load_state, save_state
from unskew.training.events import EpochBegan, EpochEnded, StepsDone
from unskew.training.predict import predict_logits
from unskew.training.recipe import Recipe
from unskew.training.replicas import Replicas, kinship
from unskew.training.replicas import replicas as module
from unskew.training.replicas.examples import CutByEach, examples_of
from unskew.training.replicas.kin import JOINT_HOOKS
from unskew.training.trainer import Trainer

SMALL = Recipe(
    model="lstm", model_options={"hidden_size": 32, "hidden": 32}, epochs=2, batch_size=32,
    precision="float32", skew=StepSkew(classes=(0, 1), keep=0.5),
    kernels="off",  # together they are computed by PyTorch's operators
)  # fmt: skip
OWN = [{"seed": 0}, {"seed": 1, "weight_decay": 0.1}, {"seed": 2, "learning_rate": 0.03}]


def trainers(splits, recipe, device="cpu"):
    return [Trainer(recipe.with_(**own), splits, device) for own in OWN]


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.state.network.parameters()]).cpu()


def assert_agree(together, alone, tolerance=2e-3):
    for a, b in zip(together, alone, strict=True):
        assert a.finished
        assert a.state.history.losses == pytest.approx(
            b.state.history.losses, rel=tolerance, abs=tolerance
        )
        assert len(a.state.history.epochs) == len(b.state.history.epochs)
        torch.testing.assert_close(weights(a), weights(b), rtol=0, atol=tolerance)
        one, other = a.state.history.epochs[-1], b.state.history.epochs[-1]
        # Of 80 test images a few lie so near to a boundary that roundings decide.
        assert one.test_accuracy == pytest.approx(other.test_accuracy, abs=0.06 + 2 * tolerance)
        assert one.train_accuracy == pytest.approx(other.train_accuracy, abs=0.02 + tolerance / 5)
        assert one.learning_rate == other.learning_rate


def trained_alone(splits, recipe):
    alone = trainers(splits, recipe)
    for trainer in alone:
        trainer.fit()
    return alone


TOLERANCE = {"resnet32": 0.03, "cnn": 0.01}
OPTIONS = {"lstm_misread": {"reading": "batch_as_time"}}


@pytest.mark.parametrize("model", models())
def test_every_network_trains_together_as_alone(splits, model):
    recipe = SMALL.with_(model=model, model_options=OPTIONS.get(model, {}), epochs=1)
    together = trainers(splits, recipe)
    assert torch.equal(weights(together[0]), weights(trainers(splits, recipe)[0]))
    Replicas(together).fit()
    # Rounding grows through the layers; a wrong order of images would be 1 apart.
    assert_agree(together, trained_alone(splits, recipe), TOLERANCE.get(model, 2e-3))
    assert len({trainer.state.history.losses[0] for trainer in together}) == 3


def test_what_reads_its_batch_is_shown_the_batches_that_it_is_shown_alone(splits, monkeypatch):
    monkeypatch.setattr(module, "IMAGES_AT_ONCE", {"cpu": 21})  # of 80, by three runs
    options = {**OPTIONS["lstm_misread"], "hidden_size": 8, "hidden": 8}
    recipe = SMALL.with_(model="lstm_misread", model_options=options, max_steps=1)
    together = trainers(splits, recipe)
    Replicas(together).fit()
    for trainer in together:
        alone = predict_logits(trainer.state.network, trainer.judged_batches, trainer.dtype)
        torch.testing.assert_close(trainer.judge(), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": "flip_crop", "nesterov": True, "schedule": "one_cycle"},
        {"augmentation": "flip_translate", "momentum": 0.0, "label_smoothing": 0.1},
        {"augmentation": "none", "decay": "weights", "drop_last": True},
        {"alternate_flips": True, "max_steps": 7},
    ],
    ids=str,
)
def test_settings_act_as_they_do_alone(splits, changes):
    recipe = SMALL.with_(**changes)
    together = trainers(splits, recipe)
    Replicas(together).fit()
    assert_agree(together, trained_alone(splits, recipe))


JOINT = [name for name in remedies() if kinship(SMALL.with_(remedy=name))]
JOINED = ["cutmix+balanced_softmax", "oversample_augmented+mixup", "ldam+drw"]


@pytest.mark.parametrize("remedy", [*JOINT, *JOINED])
def test_remedies_that_may_train_together_act_as_they_do_alone(splits, remedy):
    recipe = SMALL.with_(remedy=remedy)
    together = trainers(splits, recipe)
    Replicas(together).fit()
    assert_agree(together, trained_alone(splits, recipe))


EACH_ITS_OWN = [
    ["none", "balanced_softmax", "drw", "none", "effective_number", "focal+tau_normalised"],
    ["cutmix+balanced_softmax", "cutmix", "cutmix+label_aware_smoothing"],
    ["ldam", "ldam+drw"],
]


def with_losses(splits, named, device="cpu", **changes):
    return [
        Trainer(SMALL.with_(remedy=remedy, seed=seed, **changes), splits, device)
        for seed, remedy in enumerate(named)
    ]


@pytest.mark.parametrize("named", EACH_ITS_OWN, ids=str)
def test_runs_that_differ_in_their_loss_act_as_they_do_alone(splits, named):
    together, alone = with_losses(splits, named), with_losses(splits, named)
    Replicas(together).fit()
    for trainer in alone:
        trainer.fit()
    assert_agree(together, alone)


def test_a_run_that_diverges_disturbs_none_with_another_loss(splits):
    """No run of its kind is left, so nobody draws what its loss would be."""
    recipe = SMALL.with_(epochs=8)
    lost = recipe.with_(remedy="drw", learning_rate=1e20)
    other = recipe.with_(remedy="balanced_softmax", seed=1)
    together = [Trainer(lost, splits), Trainer(other, splits), Trainer(recipe, splits)]
    replicas = Replicas(together)
    replicas.fit()
    assert replicas.diverged[0]
    alone = [Trainer(other, splits), Trainer(recipe, splits)]
    for trainer in alone:
        trainer.fit()
    assert_agree(together[1:], alone)


def test_most_remedies_may_train_together_and_what_reaches_into_the_step_may_not():
    assert {"balanced_softmax", "drw", "focal", "oversample", "class_balanced_sampling"} <= {*JOINT}
    assert {"oversample_augmented", "mixup", "cutmix", "remix", "ldam"} <= {*JOINT}
    assert not {"sam", "crt", "bcl", "glmc", "max_norm", "l2_normalised"} & {*JOINT}


def test_in_bfloat16_they_are_close_to_running_alone(splits):
    recipe = SMALL.with_(precision="bfloat16")
    together = trainers(splits, recipe)
    Replicas(together).fit()
    for a, b in zip(together, trained_alone(splits, recipe), strict=True):
        assert a.state.history.losses[:3] == pytest.approx(b.state.history.losses[:3], rel=0.05)
        assert a.state.history.losses[-1] == pytest.approx(b.state.history.losses[-1], abs=0.1)


def test_one_that_trained_alone_goes_on_together_and_the_other_way_round(splits, tmp_path):
    alone = trained_alone(splits, SMALL)
    halfway = trainers(splits, SMALL)
    for trainer in halfway:
        list(trainer.epoch())
    Replicas(halfway).fit()
    assert_agree(halfway, alone)

    begun = trainers(splits, SMALL)
    replicas = Replicas(begun)
    steps = replicas.epoch()
    for _ in range(3):  # in the middle of an epoch, before any look at the losses
        next(steps)
    resumed = []
    for run, state in enumerate(replicas.save()):
        save_state(state, tmp_path / str(run))
        resumed.append(Trainer(begun[run].recipe, splits))
        resumed[-1].restore(load_state(tmp_path / str(run)))
        resumed[-1].fit()
    assert_agree(resumed, alone)


def test_saved_after_every_epoch_and_told_of_progress(splits):
    together = trainers(splits, SMALL)
    heard, saved = [[] for _ in together], [[] for _ in together]
    Replicas(together).fit(
        [events.append for events in heard],
        [lambda state, kept=kept: kept.append(state[1]["position"]) for kept in saved],
    )
    for events, kept in zip(heard, saved, strict=True):
        assert [type(event) for event in events] == [EpochBegan, StepsDone, EpochEnded] * 2
        assert [position["epoch"] for position in kept] == [1, 0]


def test_one_that_diverges_disturbs_no_other(splits):
    recipes = [SMALL.with_(epochs=8), SMALL.with_(epochs=8, seed=1, learning_rate=1e20)]
    together = [Trainer(recipe, splits) for recipe in recipes]
    replicas = Replicas(together)
    replicas.fit()
    assert replicas.diverged[0] == ""
    assert "the loss became" in replicas.diverged[1]
    alone = Trainer(recipes[0], splits)
    alone.fit()
    assert_agree(together[:1], [alone])


def test_the_loss_is_that_of_the_epoch_of_those_that_go_on(splits):
    """Deferred weights set in for them, whenever the first run has been left behind."""
    recipe = SMALL.with_(epochs=8, remedy="drw", learning_rate=0.03)
    heard = []
    together = [
        Trainer(recipe.with_(**own), splits) for own in ({"learning_rate": 1e20}, {"seed": 1})
    ]
    replicas = Replicas(together)
    replicas.fit([heard.append, lambda event: None])
    assert replicas.diverged[0]
    assert sum(isinstance(event, EpochBegan) for event in heard) < 8
    alone = Trainer(recipe.with_(seed=1), splits)
    alone.fit()
    assert_agree(together[1:], [alone])


def test_when_all_diverge_it_ends(splits):
    recipe = SMALL.with_(epochs=8, learning_rate=1e20)
    replicas = Replicas([Trainer(recipe.with_(seed=seed), splits) for seed in range(2)])
    replicas.fit()
    assert all(replicas.diverged)


def test_the_last_batch_may_be_shorter(splits):
    recipe = SMALL.with_(batch_size=50)  # 180 images: three batches and one of 30
    together = trainers(splits, recipe)
    Replicas(together).fit()
    assert_agree(together, trained_alone(splits, recipe))


@pytest.mark.parametrize("remedy", ["mixup", "oversample_augmented", "coarse"])
def test_the_last_batch_may_be_shorter_where_a_remedy_changes_it(splits, own_transforms, remedy):
    recipe = SMALL.with_(batch_size=50, remedy=remedy)
    together = trainers(splits, recipe)
    Replicas(together).fit()
    assert_agree(together, trained_alone(splits, recipe))


@pytest.fixture
def own_transforms(monkeypatch):
    """Remedies as users write them, with a transform in one piece."""
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))

    @dataclass(frozen=True)
    class Coarse(Remedy):
        """Pixels rounded, now and then, by numbers from all generators that it may draw from."""

        name = "coarse"

        def transform(self, batch, facts, rng):
            if rng.random() < 0.3:
                return batch
            size = 0.1 + rng.random() + torch.rand(())
            images = (batch.images / size).round() * size
            if rng.random() < 0.5:
                return batch.with_(images=images)
            other = torch.randperm(len(batch.labels))
            share = torch.full((len(batch.labels),), 0.8)
            return batch.with_(images=images, other_labels=batch.labels[other], share=share)

    @dataclass(frozen=True)
    class Ragged(Remedy):
        """Leaves out as many images as it likes."""

        name = "ragged"

        def transform(self, batch, facts, rng):
            kept = slice(int(rng.integers(2, 20)), None)
            return batch.with_(
                images=batch.images[kept], labels=batch.labels[kept], indices=batch.indices[kept]
            )

    @dataclass(frozen=True)
    class ShyMixup(type(make_remedy("mixup"))):
        """One of the package's with another transform, which is not passed over."""

        name = "shy_mixup"

        def transform(self, batch, facts, rng):
            return batch if rng.random() < 0.5 else super().transform(batch, facts, rng)


@pytest.mark.parametrize("remedy", ["coarse", "coarse+focal", "oversample+coarse", "shy_mixup"])
def test_a_users_transform_acts_as_it_does_alone(splits, own_transforms, remedy):
    recipe = SMALL.with_(remedy=remedy)
    together = trainers(splits, recipe)
    Replicas(together).fit()
    assert_agree(together, trained_alone(splits, recipe))


def test_a_users_transform_may_change_the_size_of_a_batch_if_one_trains_by_itself(
    splits, own_transforms
):
    recipe = SMALL.with_(remedy="ragged")
    together = [Trainer(recipe, splits)]
    Replicas(together).fit()
    alone = Trainer(recipe, splits)
    alone.fit()
    assert_agree(together, [alone])
    with pytest.raises(UserError, match="one run at a time"):
        Replicas(trainers(splits, recipe)).fit()


@pytest.mark.parametrize("remedy", ["cutmix", "oversample_augmented+remix"])
def test_mixing_runs_go_on_alone_from_the_middle_of_an_epoch(splits, remedy):
    recipe = SMALL.with_(remedy=remedy)
    begun = trainers(splits, recipe)
    replicas = Replicas(begun)
    steps = replicas.epoch()
    for _ in range(3):
        next(steps)
    resumed = []
    for trainer, state in zip(begun, replicas.save(), strict=True):
        resumed.append(Trainer(trainer.recipe, splits))
        resumed[-1].restore(state)
        resumed[-1].fit()
    assert_agree(resumed, trained_alone(splits, recipe))


@pytest.mark.parametrize("remedy", ["cutmix", "coarse"])
def test_one_that_diverges_disturbs_no_other_that_mixes(splits, own_transforms, remedy):
    recipe = SMALL.with_(epochs=8, remedy=remedy)
    together = [
        Trainer(recipe.with_(**own), splits) for own in ({"learning_rate": 1e20}, {"seed": 1})
    ]
    replicas = Replicas(together)
    replicas.fit()
    assert replicas.diverged[0]
    alone = Trainer(recipe.with_(seed=1), splits)
    alone.fit()
    assert_agree(together[1:], [alone])


def test_the_packages_own_transforms_are_made_for_all_runs_at_once(splits, own_transforms):
    for remedy in [*JOINT, *JOINED, "coarse", "cutmix+coarse", "shy_mixup"]:
        trainer = Trainer(SMALL.with_(remedy=remedy), splits)
        by_each = isinstance(examples_of(trainer, [trainer.begin_epoch()]), CutByEach)
        assert by_each == (remedy not in {*JOINT, *JOINED}), remedy


def test_strangers_are_refused(splits):
    with pytest.raises(ValueError, match="cannot train together"):
        Replicas([Trainer(SMALL, splits), Trainer(SMALL.with_(momentum=0.5), splits)])
    with pytest.raises(ValueError, match="cannot train together"):
        Replicas([Trainer(SMALL.with_(remedy="sam"), splits)])
    ahead, behind = Trainer(SMALL, splits), Trainer(SMALL.with_(seed=1), splits)
    list(ahead.epoch())
    with pytest.raises(ValueError, match="same epoch and step"):
        Replicas([ahead, behind])


def test_kinship_leaves_out_what_runs_have_of_their_own():
    assert kinship(SMALL) == kinship(SMALL.with_(seed=3, weight_decay=0.1, learning_rate=1.0))
    assert kinship(SMALL) != kinship(SMALL.with_(subset_seed=1))
    assert kinship(SMALL.with_(optimizer="adamw")) is None
    assert kinship(SMALL.with_(optimizer="muon")) is None


def test_kinship_is_of_network_and_images_and_leaves_out_what_is_made_of_logits():
    def kin(remedy, **options):
        return kinship(SMALL.with_(remedy=remedy, remedy_options=options))

    assert kin("none") == kin("balanced_softmax") == kin("drw") == kin("posthoc_em")
    assert kin("cutmix") == kin("cutmix+balanced_softmax") == kin("focal+cutmix")
    assert kin("ldam") == kin("ldam+drw") == kin("ldam+drw", drw={"start": 0.5})
    apart = ["none", "cutmix", "mixup", "ldam", "oversample", "square_root_sampling"]
    apart += ["temperature_scaling"]  # trains on fewer images
    assert len({kin(remedy) for remedy in apart}) == len(apart)
    assert kin("ldam") != kin("ldam", ldam={"s": 10.0})
    assert kin("square_root_sampling") != kin("square_root_sampling", square_root_sampling={"q": 1})


@pytest.mark.gpu
@pytest.mark.parametrize("named", EACH_ITS_OWN, ids=str)
def test_on_a_gpu_runs_that_differ_in_their_loss_share_a_graph(splits, named):
    together = with_losses(splits, named, "cuda", epochs=1, batch_size=10)
    replicas = Replicas(together)
    replicas.fit()
    assert replicas.engine == "graph"
    alone = with_losses(splits, named, "cuda", epochs=1, batch_size=10)
    for trainer in alone:
        trainer.fit()
    assert_agree(together, alone, tolerance=2e-2)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", ["cnn", "lstm", "resnet32"])
def test_on_a_gpu_the_step_is_a_graph_and_agrees_with_training_alone(splits, model, precision):
    recipe = SMALL.with_(model=model, model_options={}, precision=precision)
    together = trainers(splits, recipe, "cuda")
    begun = [weights(trainer) for trainer in together]
    replicas = Replicas(together)
    replicas.fit()
    assert replicas.engine == "graph"
    exact = 3e-2 if model == "resnet32" else 2e-2  # rounding grows through 32 layers
    rounded = 0.5 if model == "resnet32" else 0.1
    tolerance = exact if precision == "float32" else rounded
    alone = trained_alone(splits, recipe)
    assert_agree(together, alone, tolerance=tolerance)
    # All weights are small, so they are held against the way that they have gone.
    for start, a, b in zip(begun, together, alone, strict=True):
        apart = (weights(a) - weights(b)).norm() / (weights(b) - start).norm()
        loose = 2 if model == "resnet32" else 1
        assert apart < loose * (0.1 if precision == "float32" else 0.5)


@pytest.mark.gpu
@pytest.mark.parametrize("remedy", ["none", "oversample_augmented", "cutmix+balanced_softmax"])
def test_on_a_gpu_no_step_waits_for_the_device(splits, remedy):
    recipe = SMALL.with_(batch_size=10, remedy=remedy)
    steps = Replicas(trainers(splits, recipe, "cuda")).epoch()
    for _ in range(4):
        next(steps)
    with waiting_forbidden():
        for _ in range(5):
            next(steps)


def test_what_trained_together_is_judged_as_by_itself(splits):
    """A twin that takes over the weights, or the run gone on with, is judged in no other way."""
    together = trainers(splits, SMALL.with_(precision="bfloat16", epochs=1, max_steps=3))
    Replicas(together).fit()
    for trainer in together:
        network, batches = trainer.state.network, trainer.judged_batches
        assert torch.equal(trainer.judge(), predict_logits(network, batches, trainer.dtype))


def test_a_users_loss_trains_alone_unless_it_says_that_it_can_be_shared(monkeypatch):
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))

    @dataclass(frozen=True)
    class Noisy(Remedy):
        """What many runs cannot share: it reads the run's own seed."""

        name = "noisy"

        def loss(self, facts, epoch):
            noise = torch.rand(facts.num_classes, generator=torch.manual_seed(facts.seed))
            return lambda logits, labels: torch.nn.functional.cross_entropy(
                logits + noise, labels, reduction="none"
            )

    assert kinship(Recipe(remedy="noisy")) is None
    assert kinship(Recipe(remedy="noisy+posthoc_em")) is None
    Noisy.side_by_side = True
    assert kinship(Recipe(remedy="noisy")) is not None
    assert kinship(Recipe(remedy="focal+class_balanced_sampling")) is not None


def test_losses_and_class_weights_of_the_package_can_all_be_shared():
    for name in remedies():
        remedy = make_remedy(name, {})
        if remedy.overrides() <= JOINT_HOOKS and remedy.overrides() & IN_THE_STEP:
            assert remedy.side_by_side, name
