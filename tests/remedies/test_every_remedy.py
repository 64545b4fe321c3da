"""Checks that every remedy, present and future, must pass."""

from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
import torch

from tests.remedies.scene import FACTS, make_batch, make_facts, rehearse
from unskew.data.randomness import stream
from unskew.data.skew import StepSkew
from unskew.errors import UserError
from unskew.remedies.base import Remedy
from unskew.remedies.registry import description, make_remedy, names, remedy_class
from unskew.training.fitting import check_fits
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

every_remedy = pytest.mark.parametrize("name", names())
every_option = pytest.mark.parametrize(
    ("name", "option"),
    [(name, option) for name in names() for option in fields(remedy_class(name))],
    ids=lambda value: value if isinstance(value, str) else value.name,
)

# Values to try where no general rule finds one.
OTHER_VALUES = {
    ("cost_sensitive", "costs"): [(1.0, 2.0, 3.0, 4.0)],
    ("imbalanced_sam", "eta"): [5],
    ("posthoc_logit_adjustment", "target"): [(1.0, 2.0, 3.0, 4.0)],
}


def other_values(name, option):
    """Values of an option that its class accepts, different from the default."""
    default = option.default
    if (name, option.name) in OTHER_VALUES:
        return OTHER_VALUES[name, option.name]
    if isinstance(default, bool):
        return [not default]
    if isinstance(default, str):
        return [word for word in option.metadata["one_of"] if word != default]
    if isinstance(default, int):
        wanted = [default + 1, default - 1]
    else:
        wanted = [default / 2, default + 0.25, default * 4, 1 - default]
    return [value for value in wanted if value != default and accepts(name, option, value)]


def accepts(name, option, value):
    try:
        make_remedy(name, {name: {option.name: value}})
    except UserError:
        return False
    return True


@every_remedy
def test_it_describes_itself_and_is_what_its_options_say(name):
    remedy = make_remedy(name)
    assert description(name).endswith(".")
    assert isinstance(remedy, remedy_class(name))
    assert remedy.overrides()
    for option in fields(remedy):
        assert make_remedy(name, {name: {option.name: option.default}}) == remedy
    with pytest.raises(FrozenInstanceError):
        remedy.anything = 1


@every_remedy
def test_it_changes_a_run_and_two_runs_are_the_same(name):
    seen = rehearse(make_remedy(name))
    assert seen.isfinite().all()
    assert torch.equal(seen, rehearse(make_remedy(name)))
    seen, plain = (rehearse(remedy, weights=False) for remedy in (make_remedy(name), Remedy()))
    if len(seen) == len(plain):
        assert not torch.equal(seen, plain)
    else:  # more images or fewer
        assert "draw" in make_remedy(name).overrides()


@every_option
def test_every_option_acts(name, option):
    """Some act only with weight decay, some only without."""
    for decay in (1e-2, 0.0):
        usual = rehearse(make_remedy(name), decay=decay)
        for value in other_values(name, option):
            seen = rehearse(make_remedy(name, {name: {option.name: value}}), decay=decay)
            assert seen.isfinite().all()
            if seen.shape != usual.shape or not torch.equal(seen, usual):
                return
    pytest.fail(f"{name}.{option.name} changes nothing")


@every_option
def test_every_limit_of_an_option_holds(name, option):
    step = 1 if isinstance(option.default, int) else 1e-6
    outside = {"at_least": -step, "above": 0, "at_most": step, "below": 0}
    for limit, bound in option.metadata.get("limits", {}).items():
        value = bound + outside[limit]
        value = (value,) if isinstance(option.default, tuple) else value
        with pytest.raises(UserError, match=rf"{name}.*{option.name} = "):
            remedy_class(name)(**{option.name: value})
    if isinstance(option.default, float):
        for value in (float("nan"), float("inf")):
            with pytest.raises(UserError, match=rf"{name}.*{option.name} = "):
                remedy_class(name)(**{option.name: value})
    if isinstance(option.default, str):
        with pytest.raises(UserError, match=rf"{name}.*{option.name} = 'nothing'"):
            remedy_class(name)(**{option.name: "nothing"}).check(FACTS)


@every_remedy
@pytest.mark.parametrize("counts", [[12, 12, 12], [40, 10, 1, 0], [0, 30, 2], [60, 1]])
def test_a_run_stays_finite_whatever_the_counts(name, counts):
    assert rehearse(make_remedy(name), make_facts(counts)).isfinite().all()


@every_remedy
def test_a_run_of_one_epoch_is_finite_or_refused_with_the_mend(name):
    facts = make_facts([40, 10, 1, 0], epochs=1)
    # GLMC is of one stage, but its classifier first learns in the second epoch.
    if len(make_remedy(name).stages(5)) > 1 or name == "glmc":
        with pytest.raises(UserError, match=rf"{name}.*epochs is 1: choose 2 or more"):
            rehearse(make_remedy(name), facts)
    else:
        assert rehearse(make_remedy(name), facts).isfinite().all()


@every_remedy
def test_a_run_in_bfloat16_is_finite_and_shows_as_much_as_one_in_float32(name):
    low = rehearse(make_remedy(name), dtype=torch.bfloat16)
    full = rehearse(make_remedy(name))
    assert low.isfinite().all()
    assert low.shape == full.shape


@every_remedy
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("size", [0.0, 1.0, 100.0, 1e4])
def test_losses_and_their_gradients_are_finite_for_any_logits(name, dtype, size):
    loss = make_remedy(name).loss(FACTS, FACTS.epochs - 1)
    if loss is None:
        return
    signs = torch.tensor([[1, -1, 0, 0.5], [-1, 1, 1, -1], [0, 0, 0, 0], [1, 1, -1, -1]])
    for rolled in range(4):
        logits = (signs.roll(rolled, 1) * size).to(dtype).requires_grad_()
        losses = loss(logits, torch.arange(4))
        assert losses.shape == (4,)
        assert losses.dtype == dtype
        losses.sum().backward()
        assert losses.isfinite().all()
        assert logits.grad.isfinite().all()


@every_remedy
def test_losses_are_of_each_example_alone(name):
    loss = make_remedy(name).loss(FACTS, FACTS.epochs - 1)
    if loss is None:
        return
    logits = torch.from_numpy(stream(0, "logits").normal(size=(7, 4)) * 3)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    each = [loss(logits[k : k + 1], labels[k : k + 1]) for k in range(7)]
    torch.testing.assert_close(loss(logits, labels), torch.cat(each))


@every_remedy
def test_class_weights_are_finite_and_every_class_with_images_counts(name):
    for epoch in range(FACTS.epochs):
        weights = make_remedy(name).class_weights(FACTS, epoch)
        if weights is None:
            continue
        assert weights.shape == (4,)
        assert weights.dtype == torch.float32
        assert weights.isfinite().all()
        assert (weights >= 0).all()
        assert (weights[FACTS.counts > 0] > 0).all()


@every_remedy
def test_draws_are_valid_and_follow_from_the_generator_alone(name):
    remedy = make_remedy(name)
    for epoch in range(FACTS.epochs):
        drawn = [remedy.draw(FACTS, epoch, stream(seed, "order", epoch)) for seed in (0, 0, 1)]
        first, again, other = drawn
        if first is None:
            assert again is None
            continue
        assert first.indices.dtype == np.int64
        assert first.indices.min() >= 0
        assert first.indices.max() < len(FACTS.labels)
        assert (first.indices == again.indices).all()
        assert not np.array_equal(first.indices, other.indices)
        for beside in (first.copies, first.partners):
            assert beside is None or len(beside) == len(first.indices)


@every_remedy
def test_transforms_keep_shapes_and_leave_their_input_alone(name):
    remedy = make_remedy(name)
    indices = torch.arange(0, 51, 4)
    copies = torch.arange(len(indices)) % 2 == 0
    batch = make_batch(indices, FACTS, remedy, copies)
    batch = batch.with_(partners=make_batch(indices.flip(0), FACTS, remedy))
    before = batch.images.clone()
    changed = remedy.transform(batch, FACTS, stream(0, "t", 0))
    again = remedy.transform(batch, FACTS, stream(0, "t", 0))
    assert changed.images.shape == before.shape
    assert changed.images.dtype == before.dtype
    assert torch.equal(changed.images, again.images)
    assert torch.equal(batch.images, before)
    if changed.share is not None:
        assert changed.other_labels.shape == changed.labels.shape
        assert changed.share.shape == changed.labels.shape
        assert (changed.share >= 0).all()
        assert (changed.share <= 1).all()


@every_remedy
def test_stages_share_out_the_epochs(name):
    for epochs in (2, 5, 200):
        assert sum(stage.epochs for stage in make_remedy(name).stages(epochs)) == epochs


@every_remedy
def test_the_trainer_resumes_it_in_mid_epoch_without_a_trace(name, splits):
    resume(name, splits, epochs=0)


@pytest.mark.parametrize("name", [n for n in names() if len(make_remedy(n).stages(2)) > 1])
def test_the_trainer_resumes_it_in_mid_stage_without_a_trace(name, splits):
    """What the second stage has fixed or learnt by then is part of the state."""
    assert resume(name, splits, epochs=1).stage == 1


def resume(name, splits, epochs):
    """Hold a run that was stopped after so many epochs and some steps against one that was not.

    Returns
    -------
    Where it was stopped.
    """
    recipe = Recipe(
        data="squares", model="lstm", model_options={"hidden_size": 32}, remedy=name, epochs=2,
        batch_size=20, precision="float32",
        skew=StepSkew(profile="step", classes=(0, 1), keep=0.2), weight_decay=1e-3,
    )  # fmt: skip
    whole = Trainer(recipe, splits)
    whole.fit()
    first, second = Trainer(recipe, splits), Trainer(recipe, splits)
    for _ in range(epochs):
        list(first.epoch())
    for _ in zip(range(2), first.epoch(), strict=False):
        pass
    stopped = replace(first.state.position)
    assert stopped.step > 0
    second.restore(first.save())
    second.fit()
    assert whole.state.history.losses == second.state.history.losses
    assert np.isfinite(whole.state.history.losses).all()
    weights = second.state.network.state_dict()
    for key, value in whole.state.network.state_dict().items():
        assert torch.equal(value, weights[key]), key
    return stopped


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("cost_sensitive", {"cost_sensitive": {"gamma": 100.0}}),
        ("cost_sensitive", {"cost_sensitive": {"costs": [1e-30, 1e30, 1e30, 1e30]}}),
        ("glmc", {"glmc": {"label_power": 1000.0}}),
    ],
)
def test_class_weights_that_no_number_holds_are_refused_before_training(splits, spec, options):
    recipe = Recipe(
        remedy=spec, remedy_options=options, epochs=2, batch_size=20,
        skew=StepSkew(classes=(0,), keep=0.2),
    )  # fmt: skip
    with pytest.raises(UserError, match=f"remedy {spec!r}: the remedy's options weigh"):
        check_fits(recipe, splits)
