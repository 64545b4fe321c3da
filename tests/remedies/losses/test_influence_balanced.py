"""The influence-balanced loss."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.losses.cases import examined, log_softmax, problems
from tests.remedies.scene import FACTS, Tiny, make_batch, make_facts
from unskew.data.skew import StepSkew
from unskew.remedies.base import Remedy
from unskew.remedies.criterion import Criterion
from unskew.remedies.losses.influence_balanced import EPSILON, RATE, InfluenceBalanced
from unskew.remedies.registry import make_remedy
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer


def formula(logits, features, targets, counts, alpha):
    """Plain arithmetic over plain lists; targets are rows of sum 1."""
    inverse = [1 / n if n else 0.0 for n in counts]
    present = sum(n > 0 for n in counts)
    rarity = [value * present / math.fsum(inverse) for value in inverse]
    total = 0.0
    for z, h, y in zip(logits, features, targets, strict=True):
        log_p = log_softmax(z)
        ce = -math.fsum(a * b for a, b in zip(y, log_p, strict=True))
        miss = math.fsum(abs(math.exp(b) - a) for a, b in zip(y, log_p, strict=True))
        influence = miss * math.fsum(abs(v) for v in h)
        weight = alpha * math.fsum(a * r for a, r in zip(y, rarity, strict=True))
        total += weight * ce / (influence + EPSILON)
    return total / len(logits)


@examined
@given(problems(present=False), st.floats(0.1, 2000), st.integers(0, 99))
def test_it_is_the_formula(problem, alpha, seed):
    facts, logits, labels = problem
    features = np.random.default_rng(seed).normal(size=(len(logits), 5))
    targets = np.eye(facts.num_classes)[labels]
    remedy = make_remedy("influence_balanced", {"influence_balanced": {"alpha": alpha}})
    found = remedy.influence_balanced(
        torch.from_numpy(logits), torch.from_numpy(features), torch.from_numpy(targets), facts
    )
    expected = formula(
        logits.tolist(), features.tolist(), targets.tolist(), facts.counts.tolist(), alpha
    )
    assert found.item() == pytest.approx(expected, rel=1e-5)


def objective(epoch, **changes):
    """What the objective gives for a batch on a tiny network, and the network and batch."""
    torch.manual_seed(0)
    network, remedy = Tiny(4), make_remedy("influence_balanced")
    batch = make_batch(torch.tensor([0, 3, 41, 50]), FACTS, remedy).with_(**changes)
    criterion = Criterion(remedy.loss(FACTS, epoch), None)
    return remedy.objective(network, None, batch, criterion, FACTS, epoch), network, batch


def test_it_begins_after_part_of_the_epochs_and_is_plain_before():
    assert [objective(epoch)[0] is None for epoch in range(5)] == [True, True, False, False, False]
    assert make_remedy("influence_balanced").loss(FACTS, 0) is None


def test_the_objective_takes_features_and_logits_from_the_network():
    (value, logits), network, batch = objective(4)
    with torch.no_grad():
        features = network.features(batch.images)
        torch.testing.assert_close(logits, network(batch.images))
    targets = np.eye(4)[batch.labels].tolist()
    expected = formula(logits.tolist(), features.tolist(), targets, FACTS.counts.tolist(), 10.0)
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_a_mixed_image_has_a_mixed_target():
    others, share = torch.tensor([1, 1, 0, 0]), torch.tensor([0.25, 0.5, 0.75, 1.0])
    (value, logits), network, batch = objective(4, other_labels=others, share=share)
    with torch.no_grad():
        features = network.features(batch.images)
    weight = share[:, None].numpy()
    targets = np.eye(4)[batch.labels] * weight + np.eye(4)[others] * (1 - weight)
    expected = formula(
        logits.tolist(), features.tolist(), targets.tolist(), FACTS.counts.tolist(), 10.0
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_equal_classes_make_the_class_weights_1():
    facts = make_facts([7, 7])
    remedy = make_remedy("influence_balanced", {"influence_balanced": {"alpha": 1}})
    logits, features = torch.zeros(1, 2), torch.tensor([[1.0, -1.0]])
    found = remedy.influence_balanced(logits, features, torch.tensor([[1.0, 0.0]]), facts)
    # miss = 1, the features' norm 2
    assert found.item() == pytest.approx(math.log(2) / (2 + EPSILON))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("length", [0.0, 1.0, 1e4])
def test_extremes_are_finite(dtype, size, length):
    logits = (torch.tensor([[1.0, -1.0, 0.0, 0.0]] * 3) * size).to(dtype).requires_grad_()
    features = torch.full((3, 6), length, dtype=dtype, requires_grad=True)
    targets = torch.eye(4)[:3]
    value = make_remedy("influence_balanced").influence_balanced(logits, features, targets, FACTS)
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()
    assert features.grad.isfinite().all()


def test_numbers_of_every_precision_are_taken_together():
    """Half-precision logits are worked on in float32; targets follow the logits."""
    remedy, facts = make_remedy("influence_balanced"), make_facts([500, 60, 7, 1])
    rng = np.random.default_rng(0)
    logits, features = torch.from_numpy(rng.normal(size=(4, 4))), torch.rand(4, 5).double()
    logits, features = logits.bfloat16(), features.bfloat16()
    expected = formula(
        logits.tolist(), features.tolist(), np.eye(4).tolist(), facts.counts.tolist(), 10.0
    )
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = remedy.influence_balanced(
                logits.to(dtype), features.to(dtype), torch.eye(4), facts
            )
        assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_slopes():
    remedy, facts = make_remedy("influence_balanced"), make_facts([500, 60, 7, 1])
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(4, 4))).requires_grad_()
    features = torch.from_numpy(rng.normal(size=(4, 5))).requires_grad_()
    targets = torch.eye(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda z, h: remedy.influence_balanced(z, h, targets, facts), (logits, features)
    )


def test_no_other_loss_joins_in():
    hooks = {"loss", "objective", "carried_over"}
    assert make_remedy("influence_balanced").overrides() == hooks


@pytest.mark.parametrize(("start", "switch"), [(0.0, None), (0.25, 1), (0.5, 2)])
def test_momentum_is_cut_where_the_second_phase_begins_after_a_first(start, switch):
    remedy = InfluenceBalanced(start=start)
    facts = make_facts([9, 3], epochs=4)
    factors = [remedy.carried_over(facts, epoch) for epoch in range(4)]
    assert factors == [RATE if epoch == switch else 1.0 for epoch in range(4)]


@pytest.mark.parametrize("remedy", ["influence_balanced", "cutmix+influence_balanced"])
def test_its_second_phase_is_the_authors_at_a_hundredth_of_the_rate(splits, remedy):
    """Bit for bit in what the steps add up to, momentum included, but for rounding."""
    recipe = Recipe(
        remedy=remedy, epochs=4, batch_size=40, learning_rate=0.01, momentum=0.9,
        skew=StepSkew(classes=(0, 1), keep=0.3), precision="float32", kernels="off",
    )  # fmt: skip
    ours = Trainer(recipe, splits)
    ours.fit()
    theirs = Trainer(recipe.with_(remedy_options={"influence_balanced": {"alpha": 1000.0}}), splits)
    plain = theirs._set_rates

    def a_hundredth(steps):
        plain(steps)
        if len(theirs.state.history.epochs) >= 2:
            for group in theirs.state.optimizer.param_groups:
                group["lr"] *= 0.01

    theirs._set_rates = a_hundredth
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InfluenceBalanced, "carried_over", Remedy.carried_over)
        theirs.fit()
    first, second = (
        torch.cat([p.detach().flatten() for p in trainer.state.network.parameters()])
        for trainer in (ours, theirs)
    )
    assert (first - second).norm() < 1e-3 * first.norm()
    assert ours.state.history.epochs[-1].train_loss * 100 == pytest.approx(
        theirs.state.history.epochs[-1].train_loss, rel=0.02
    )


def test_autocast_does_not_round_the_weights_of_classes():
    remedy = make_remedy("influence_balanced")
    logits, features = torch.randn(8, 4), torch.randn(8, 6)
    targets = torch.nn.functional.one_hot(torch.arange(8) % 3, 4).float()
    plain = remedy.influence_balanced(logits, features, targets, FACTS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = remedy.influence_balanced(logits, features, targets, FACTS)
    assert torch.equal(plain, mixed)
