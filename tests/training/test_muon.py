import pytest
import torch
from torch import nn

from unskew.training.muon import STEPS, Muon, orthogonalise


def polynomial(x):
    """What the iteration makes of one singular value, by plain numbers."""
    for _ in range(STEPS):
        x = 3.4445 * x - 4.775 * x**3 + 2.0315 * x**5
    return x


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_singular_vectors_stay_and_singular_values_go_where_the_polynomial_sends_them(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, values, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    expected = u @ torch.diag(polynomial(values / values.norm())) @ v
    found = orthogonalise(matrix[None])[0]
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


def test_three_steps_leave_values_near_one():
    # Between a tenth of the norm and all of it, which is where most of them are.
    assert 0.6 < polynomial(0.1) < 1.3
    for share in torch.linspace(0.1, 1, 50):
        assert 0.5 < polynomial(float(share)) < 1.3


def test_a_stack_is_each_matrix_alone_and_zero_stays_zero():
    torch.manual_seed(0)
    matrices = torch.stack([torch.randn(5, 8), torch.zeros(5, 8), torch.randn(5, 8)])
    found = orthogonalise(matrices)
    for k in range(3):
        torch.testing.assert_close(found[k], orthogonalise(matrices[k : k + 1])[0])
    assert not found[1].any()


def filters():
    torch.manual_seed(1)
    return [nn.Parameter(torch.randn(s)) for s in [(4, 3, 3, 3), (6, 4, 3, 3), (6, 4, 3, 3)]]


def test_filters_are_held_at_their_norm_and_moved_by_orthogonal_momentum():
    parameters, momentum, rate = filters(), 0.6, 0.1
    optimizer = Muon(
        [{"params": parameters, "orthogonal": True}], lr=rate, momentum=momentum, nesterov=True
    )
    expected = [p.detach().clone() for p in parameters]
    memories = [torch.zeros_like(p) for p in parameters]
    for step in range(3):
        torch.manual_seed(step)
        for k, parameter in enumerate(parameters):
            parameter.grad = torch.randn_like(parameter)
            memories[k] = momentum * memories[k] + parameter.grad
            ahead = (parameter.grad + momentum * memories[k]).flatten(1)
            held = expected[k] * len(parameter) ** 0.5 / expected[k].norm()
            expected[k] = held - rate * orthogonalise(ahead[None])[0].view_as(parameter)
        optimizer.step()
    for found, wanted in zip(parameters, expected, strict=True):
        torch.testing.assert_close(found.detach(), wanted)


@pytest.mark.parametrize("nesterov", [True, False])
def test_other_groups_are_pytorchs_sgd(nesterov):
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(3))]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    options = {"lr": 0.1, "momentum": 0.8, "nesterov": nesterov, "weight_decay": 0.3}
    optimizers = Muon([{"params": ours}], **options), torch.optim.SGD(theirs, **options)
    for step in range(4):
        torch.manual_seed(step)
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_a_rate_may_be_a_tensor_and_what_has_no_gradient_stays():
    parameters = filters()
    before = [p.detach().clone() for p in parameters]
    optimizer = Muon([{"params": parameters, "orthogonal": True}], lr=torch.tensor(0.1))
    parameters[0].grad = torch.ones_like(parameters[0])
    optimizer.step()
    assert not torch.equal(parameters[0], before[0])
    assert torch.equal(parameters[1], before[1])


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match="without weight decay"):
        Muon([{"params": filters(), "orthogonal": True, "weight_decay": 0.1}], lr=0.1)
    with pytest.raises(ValueError, match="matrices and filters"):
        Muon([{"params": [nn.Parameter(torch.zeros(3))], "orthogonal": True}], lr=0.1)
