import pytest
import torch
from torch import nn

from unskew.remedies.base import Remedy
from unskew.training.groups import decay_groups
from unskew.training.optimisation import learning_rate, make_optimizer
from unskew.training.recipe import Recipe


def rates(epochs=10, steps=10, **fields):
    recipe = Recipe(learning_rate=1.0, epochs=epochs, **fields)
    return [learning_rate(recipe, step, steps, epochs) for step in range(epochs * steps)]


def test_constant():
    assert set(rates()) == {1.0}


def test_step_drops_after_its_milestones():
    found = rates(schedule="step", milestones=(4, 8), drop=0.1)
    assert found[39] == 1
    assert found[40] == pytest.approx(0.1)
    assert found[80] == pytest.approx(0.01)


def test_cosine_falls_from_the_peak_to_almost_nothing():
    found = rates(schedule="cosine")
    assert found[0] == 1
    assert found[50] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.001
    assert found == sorted(found, reverse=True)


def test_one_cycle_peaks_at_thirty_percent():
    found = rates(schedule="one_cycle")
    assert found.index(max(found)) == 30
    assert found[0] < 0.05
    assert found[-1] < 0.05


def test_warmup_rises_linearly_and_then_hands_over():
    found = rates(schedule="constant", warmup_epochs=2)
    assert found[0] == pytest.approx(1 / 20)
    assert found[19] == 1
    assert found[20] == 1


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_decay_on_all_or_on_weights_only():
    (everything,) = decay_groups(network(), 0.1, "all")
    assert len(everything["params"]) == 6
    weights, rest = decay_groups(network(), 0.1, "weights")
    assert [p.dim() for p in weights["params"]] == [2, 2]
    assert all(p.dim() == 1 for p in rest["params"])
    assert (weights["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)


@pytest.mark.parametrize("decay", ["all", "weights"])
def test_weight_decay_is_the_gradient_of_half_lambda_times_the_squared_norm(decay):
    """One SGD step on L + (λ/2)·‖W‖², by autograd on the right-hand side."""
    torch.manual_seed(0)
    ours, theirs = network(), network()
    theirs.load_state_dict(ours.state_dict())
    images, lam, lr = torch.randn(8, 3), 0.3, 0.1
    recipe = Recipe(learning_rate=lr, momentum=0.0, weight_decay=lam, decay=decay)
    optimizer = make_optimizer(recipe, ours, None, Remedy(), lam)
    ours(images).square().mean().backward()
    optimizer.step()
    decayed = [p for p in theirs.parameters() if decay == "all" or p.dim() >= 2]
    penalty = lam / 2 * sum(p.square().sum() for p in decayed)
    (theirs(images).square().mean() + penalty).backward()
    with torch.no_grad():
        for p in theirs.parameters():
            p -= lr * p.grad
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_optimizers_follow_the_recipe():
    sgd = make_optimizer(Recipe(momentum=0.8, nesterov=True), network(), None, Remedy(), 0.0)
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.param_groups[0]["momentum"], sgd.param_groups[0]["nesterov"]) == (0.8, True)
    adamw = make_optimizer(Recipe(optimizer="adamw"), network(), None, Remedy(), 0.2)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.param_groups[0]["weight_decay"] == 0.2


def test_the_auxiliary_module_trains_too():
    optimizer = make_optimizer(Recipe(), network(), nn.Linear(2, 2), Remedy(), 0.0)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 8
