import numpy as np
import pytest
import torch
from torch import nn

from tests.remedies.scene import make_batch, make_facts
from unskew.data.randomness import stream
from unskew.data.skew import StepSkew
from unskew.errors import UserError
from unskew.remedies.base import Remedy
from unskew.remedies.criterion import Criterion
from unskew.remedies.registry import make_remedy
from unskew.remedies.regularisation.perturbation import climbed, statistics_held
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

RATE = 0.1
SKEW = StepSkew(profile="step", classes=(0, 1), keep=0.2)


def test_a_step_on_a_quadratic_is_the_closed_form():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    curvature, start = root @ root.T, rng.normal(size=5)
    network = nn.Module()
    network.w = nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)

    def backward(classes=None):
        optimizer.zero_grad()
        loss = 0.5 * network.w @ torch.from_numpy(curvature) @ network.w
        loss.backward()
        return loss.detach()

    remedy = make_remedy("sam", {"sam": {"rho": 0.7}})
    loss = remedy.update(backward, optimizer, network, make_facts([3, 3]))
    slope = curvature @ start
    there = start + 0.7 * slope / np.linalg.norm(slope)
    np.testing.assert_allclose(network.w.detach(), start - RATE * curvature @ there)
    assert loss.item() == pytest.approx(0.5 * start @ curvature @ start)


def test_weights_come_back_to_the_last_bit_even_after_an_error():
    parameters = [nn.Parameter(torch.randn(7) * 1e4), nn.Parameter(torch.randn(3) * 1e-4)]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    before = [parameter.detach().clone() for parameter in parameters]

    def fail_up_there():
        with climbed(parameters, 0.3):
            moved = torch.cat([p.detach() - b for p, b in zip(parameters, before, strict=True)])
            assert moved.norm().item() == pytest.approx(0.3, rel=1e-2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_up_there()
    assert all(torch.equal(p, b) for p, b in zip(parameters, before, strict=True))


def test_a_gradient_of_zero_moves_nothing():
    parameter = nn.Parameter(torch.ones(3))
    parameter.grad = torch.zeros(3)
    with climbed([parameter], 0.3):
        assert torch.equal(parameter, torch.ones(3))


def test_held_statistics_are_those_of_before_and_frozen_layers_still_use_theirs():
    live, frozen = nn.BatchNorm1d(3), nn.BatchNorm1d(3).eval()
    network = nn.ModuleDict({"live": live, "frozen": frozen})
    inputs = torch.randn(8, 3) * 3 + 1
    outside = live(inputs), frozen(inputs)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with statistics_held(network):
        inside = live(inputs), frozen(inputs)
    assert all(torch.equal(a, b) for a, b in zip(inside, outside, strict=True))
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
    live(inputs)
    assert live.num_batches_tracked == 2


@pytest.mark.parametrize("name", ["sam", "imbalanced_sam"])
def test_running_statistics_and_accuracy_are_those_of_the_unperturbed_pass(splits, name):
    recipe = Recipe(epochs=1, batch_size=40, skew=SKEW, precision="float32")
    plain, changed = Trainer(recipe, splits), Trainer(recipe.with_(remedy=name), splits)
    for trainer in (plain, changed):
        next(trainer.epoch())
        trainer.save()  # which fetches the losses
    buffers = dict(changed.state.network.named_buffers())
    for key, value in plain.state.network.named_buffers():
        assert torch.equal(value, buffers[key]), key
    assert plain.state.history.losses == pytest.approx(changed.state.history.losses)
    assert plain.state.position.correct == changed.state.position.correct


def softmax_regression(labels, facts, name, **options):
    """One step of a remedy on float64 softmax regression; weights before and after."""
    torch.manual_seed(0)
    network = nn.Linear(4, facts.num_classes).double()
    inputs = torch.randn(len(labels), 4, dtype=torch.float64)
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)

    def part(weight, bias, classes=None):
        logits = inputs @ weight.T + bias
        each = logits.logsumexp(1) - logits[torch.arange(len(labels)), labels]
        return (each if classes is None else each * classes[labels]).mean()

    def backward(classes=None):
        optimizer.zero_grad()
        loss = part(network.weight, network.bias, classes)
        loss.backward()
        return loss.detach()

    before = [parameter.detach().clone() for parameter in network.parameters()]
    make_remedy(name, {name: options}).update(backward, optimizer, network, facts)
    return part, before, [parameter.detach() for parameter in network.parameters()]


def slopes(part, weights, classes=None):
    leaves = [weight.clone().requires_grad_() for weight in weights]
    return torch.autograd.grad(part(*leaves, classes), leaves)


def perturbed(part, weights, rho, classes=None):
    found = slopes(part, weights, classes)
    norm = torch.cat([slope.flatten() for slope in found]).norm()
    return [w + rho * slope / norm for w, slope in zip(weights, found, strict=True)]


LABELS = torch.tensor([0, 0, 0, 0, 1, 2, 2])
FACTS = make_facts([40, 10, 3])


@pytest.mark.parametrize(("eta", "tail"), [(0, [False, True, True]), (4, [False, False, True])])
def test_the_step_follows_the_heads_slope_here_and_the_tails_slope_up_there(eta, tail):
    part, before, after = softmax_regression(LABELS, FACTS, "imbalanced_sam", eta=eta, rho=0.5)
    tail = torch.tensor(tail)
    head = slopes(part, before, ~tail)
    there = slopes(part, perturbed(part, before, 0.5, tail), tail)
    for new, old, a, b in zip(after, before, head, there, strict=True):
        torch.testing.assert_close(new, old - RATE * (a + b))


def test_sam_matches_the_slope_up_there():
    part, before, after = softmax_regression(LABELS, FACTS, "sam", rho=0.5)
    there = slopes(part, perturbed(part, before, 0.5))
    for new, old, slope in zip(after, before, there, strict=True):
        torch.testing.assert_close(new, old - RATE * slope)


def test_without_a_tail_it_is_a_plain_step_and_with_nothing_else_it_is_sam():
    part, before, after = softmax_regression(LABELS, make_facts([9, 9, 9]), "imbalanced_sam")
    for new, old, slope in zip(after, before, slopes(part, before), strict=True):
        torch.testing.assert_close(new, old - RATE * slope)
    *_, everything = softmax_regression(LABELS, FACTS, "imbalanced_sam", eta=1000, rho=0.5)
    *_, sam = softmax_regression(LABELS, FACTS, "sam", rho=0.5)
    for new, old in zip(everything, sam, strict=True):
        torch.testing.assert_close(new, old)


def test_a_tail_that_is_empty_is_refused_with_the_mend():
    remedy = make_remedy("imbalanced_sam", {"imbalanced_sam": {"eta": 10}})
    remedy.check(make_facts([40, 9, 0]))
    with pytest.raises(UserError, match=r"eta = 10, but no class .* smallest has 10"):
        remedy.check(make_facts([40, 10, 0]))


def test_it_refuses_an_objective_that_is_not_told_which_classes():
    with pytest.raises(UserError, match=r"class by class.*'bcl' is of all classes at once"):
        make_remedy("imbalanced_sam+bcl")
    assert make_remedy("sam+bcl").overrides()


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 5.0])])
@pytest.mark.parametrize("mixing", ["none", "mixup"])
def test_the_losses_of_complementary_classes_add_up(weights, mixing):
    batch = make_batch(torch.arange(0, 53, 5), FACTS, Remedy())
    batch = make_remedy(mixing).transform(batch, FACTS, stream(0, "t"))
    logits = torch.randn(len(batch.labels), 3)
    criterion = Criterion(None, weights)
    tail = torch.tensor([False, True, True])
    parts = criterion(logits, batch, tail), criterion(logits, batch, ~tail)
    torch.testing.assert_close(sum(parts), criterion(logits, batch))
    assert all(part > 0 for part in parts)


def test_classes_without_images_are_no_tail():
    """The mean is of the classes that have some; where those are equal nobody is rare."""
    remedy = make_remedy("imbalanced_sam")
    assert remedy._tail(make_facts([100, 100, 60, 0])).tolist() == [False, False, True, False]
    assert not remedy._tail(make_facts([50, 50, 0])).any()
