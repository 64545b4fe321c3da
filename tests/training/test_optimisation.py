import pytest
import torch
from torch import nn

from unskew.errors import UserError
from unskew.models.registry import build
from unskew.remedies.base import Remedy, Stage
from unskew.training.groups import decay_groups
from unskew.training.muon import Muon
from unskew.training.optimisation import group_rates, learning_rate, make_optimizer, stage_decay
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


def stage_rates(epochs, run, steps=10, **fields):
    """Of a stage of so many of the run's epochs."""
    recipe = Recipe(learning_rate=1.0, epochs=run, **fields)
    return [learning_rate(recipe, step, steps, epochs) for step in range(epochs * steps)]


def test_a_stage_has_its_share_of_milestones_and_warmup():
    fields = {"schedule": "step", "milestones": (160, 180), "drop": 0.1, "warmup_epochs": 5}
    first, second = stage_rates(180, 200, **fields), stage_rates(20, 200, **fields)
    for found, unit in ((first, 180), (second, 20)):  # rates of 200 epochs, drawn together
        assert found[round(0.8 * unit * 10) - 1] == 1
        assert found[round(0.8 * unit * 10)] == pytest.approx(0.1)
        assert found[-1] == pytest.approx(0.01)
        warmup = round(unit / 200 * 5 * 10)
        assert found[warmup - 1] == 1
        assert warmup == 1 or found[warmup - 2] < 1


def test_no_stage_is_all_warmup():
    found = stage_rates(2, 20, schedule="cosine", warmup_epochs=2)
    assert max(found) == found[1] == 1
    assert found[-1] < 0.05


def test_a_stages_own_decay_is_l2_however_the_recipes_is_meant():
    own, none = Stage("a", 1, weight_decay=0.1), Stage("a", 1)
    plain = Recipe(learning_rate=0.02, weight_decay=0.3)
    decoupled = plain.with_(decoupled_decay=True)
    assert stage_decay(plain, own) == 0.1
    assert stage_decay(plain, none) == stage_decay(decoupled, none) == 0.3
    for recipe, stage, wanted in ((decoupled, own, 0.1), (decoupled, none, 15), (plain, own, 0.1)):
        optimizer = make_optimizer(recipe, network(), None, Remedy(), stage_decay(recipe, stage))
        assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(wanted)


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


def test_triangle_rises_to_the_rate_and_falls_from_it():
    found = rates(schedule="triangle", rise=0.25, rise_from=0.2, fall_to=0.1)
    assert found[0] == pytest.approx(0.2)
    assert found[25] == 1
    assert found[5] == pytest.approx(0.2 + 0.8 * 5 / 25)
    assert found[25 + 15] == pytest.approx(1 - 0.9 * 15 / 75)
    assert found[-1] > 0.1
    falling = rates(schedule="triangle")
    assert falling == pytest.approx([1 - step / 100 for step in range(100)])


MUON = Recipe(
    model="whitened_cnn", optimizer="muon", learning_rate=0.02, filter_learning_rate=0.3,
    filter_momentum=0.5, momentum=0.8, nesterov=True, bias_learning_rate=4.0, stem_epochs=2,
    weight_decay=0.01, epochs=8, schedule="triangle",
)  # fmt: skip


def groups_of(recipe, model="whitened_cnn", remedy=None, **options):
    net = build(model, 5, 16, {"width": 8} if model == "whitened_cnn" else options)
    names = {id(p): name for name, p in net.named_parameters()}
    optimizer = make_optimizer(recipe, net, None, remedy or Remedy(), recipe.weight_decay)
    return optimizer, [
        (sorted(names[id(p)] for p in group["params"]), group) for group in optimizer.param_groups
    ]


def test_muon_moves_filters_and_sgd_all_else_each_at_its_rate():
    optimizer, groups = groups_of(MUON)
    assert isinstance(optimizer, Muon)
    (rest, _), (biases, _), (filters, _), (stem, _) = groups
    assert rest == ["classifier.weight"]
    assert biases == sorted(f"groups.{g}.norm{n}.bias" for g in range(3) for n in (1, 2))
    assert filters == sorted(f"groups.{g}.conv{n}.weight" for g in range(3) for n in (1, 2))
    assert stem == ["stem.bias"]
    assert [group["orthogonal"] for _, group in groups] == [False, False, True, False]
    assert [group["momentum"] for _, group in groups] == [0.8, 0.8, 0.5, 0.8]
    assert [group["weight_decay"] for _, group in groups] == [0.01, 0.01, 0.0, 0.01]
    stage = Stage("training", 8)
    assert group_rates(optimizer, MUON, stage, 0, 10) == pytest.approx([0.02, 4.0, 0.3, 4.0])
    assert group_rates(optimizer, MUON, stage, 10, 10) == pytest.approx(
        [0.02 * 7 / 8, 4.0 * 7 / 8, 0.3 * 7 / 8, 4.0 / 2]
    )
    assert group_rates(optimizer, MUON, stage, 20, 10)[3] == 0
    half = Stage("training", 8, learning_rate=0.5)
    assert group_rates(optimizer, MUON, half, 0, 10) == pytest.approx([0.01, 2.0, 0.15, 2.0])


def test_decoupled_decay_takes_the_same_share_at_every_rate():
    optimizer, groups = groups_of(MUON.with_(decoupled_decay=True))
    shares = [
        rate * group["weight_decay"]
        for rate, (_, group) in zip(
            group_rates(optimizer, MUON, Stage("training", 8), 0, 10), groups, strict=True
        )
    ]
    assert shares == pytest.approx([0.01, 0.01, 0.0, 0.01])


def test_biases_may_have_their_own_rate_with_any_optimizer():
    for kind in ("sgd", "adamw"):
        recipe = Recipe(optimizer=kind, learning_rate=0.1, bias_learning_rate=0.3)
        optimizer, groups = groups_of(recipe, "cnn")
        assert "classifier.bias" in groups[0][0]
        assert all(name.startswith(("conv", "hidden")) for name in groups[1][0])
        assert group_rates(optimizer, recipe, Stage("training", 5), 3, 10) == [
            pytest.approx(0.1), pytest.approx(0.3),
        ]  # fmt: skip


def test_a_remedys_groups_are_divided_and_keep_their_decay():
    from unskew.remedies.registry import make_remedy

    remedy = make_remedy("weight_decay_by_layer", {"weight_decay_by_layer": {"ratio": 0.5}})
    _, groups = groups_of(MUON, remedy=remedy)
    decays = {name: group["weight_decay"] for names, group in groups for name in names}
    assert decays["classifier.weight"] == 0.01
    assert decays["stem.bias"] == decays["groups.0.norm1.bias"] == 0
    assert sum(len(names) for names, _ in groups) == 14


def test_muon_on_a_network_without_filters_is_refused():
    with pytest.raises(UserError, match="'lstm' has none"):
        groups_of(Recipe(model="lstm", optimizer="muon"), "lstm")
