"""Softmax equalisation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.losses.cases import cross_entropy, examined, losses, problems
from tests.remedies.scene import Tiny, make_batch, make_facts
from unskew.data.randomness import stream
from unskew.remedies.base import Batch
from unskew.remedies.criterion import Criterion
from unskew.remedies.registry import make_remedy

FACTS = make_facts([600, 300, 20, 0])
LOGITS = torch.tensor([[1.0, 0.5, 2.0, -1.0]] * 4, dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 0])


class Given(torch.nn.Module):
    """A network whose logits are given."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, images):
        return self.logits


def minimised(logits, labels, facts, seed=0, other_labels=None, share=None, **options):
    """(what is minimised, logits, gradient of the logits, batch)."""
    remedy = make_remedy("seql", {"seql": options})
    indices = torch.arange(len(labels))
    batch = Batch(torch.zeros(len(labels), 1), labels, indices)
    batch = batch.with_(other_labels=other_labels, share=share)
    batch = remedy.transform(batch, facts, stream(seed, "seql"))
    network = Given(logits.clone())
    criterion = Criterion(remedy.loss(facts, 0), None)
    value, seen = remedy.objective(network, None, batch, criterion, facts, 0)
    value.backward()
    return value.item(), seen, network.logits.grad, batch


@examined
@given(problems(present=False), st.floats(0, 1), st.floats(0.01, 3), st.integers(0, 99))
def test_it_is_the_formula(problem, gamma, threshold, seed):
    facts, logits, labels = problem
    found, _, _, batch = minimised(
        torch.from_numpy(logits), torch.from_numpy(labels), facts, seed,
        gamma=gamma, threshold=threshold,
    )  # fmt: skip
    beta = batch.noise.tolist()
    total = 0.0
    for i, (row, label) in enumerate(zip(logits.tolist(), labels.tolist(), strict=True)):
        rare = [0 < share < threshold / len(row) for share in facts.prior.tolist()]
        w = [1 - (beta[i][k] and rare[k] and k != label) for k in range(len(row))]
        top = max(row)
        below = math.fsum(w[k] * math.exp(row[k] - top) for k in range(len(row)))
        total += math.log(below) - (row[label] - top)
    assert found == pytest.approx(total / len(labels), rel=1e-5, abs=1e-5)


@examined
@given(problems(present=False), st.floats(0.01, 3))
def test_where_nothing_is_spared_it_is_cross_entropy(problem, threshold):
    facts, logits, labels = problem
    plain = cross_entropy(logits, labels)
    np.testing.assert_allclose(losses("seql", *problem), plain, rtol=1e-9, atol=1e-12)
    logits, labels = torch.from_numpy(logits), torch.from_numpy(labels)
    for options in ({"gamma": 0.0, "threshold": threshold}, {"threshold": 1e-9}):
        some = facts if "gamma" in options else make_facts(np.maximum(facts.counts, 1))
        found, seen, _, _ = minimised(logits, labels, some, **options)
        assert found == pytest.approx(plain.mean(), rel=1e-5, abs=1e-5)
        assert torch.equal(seen, logits)


def test_rare_classes_are_left_alone_by_others_but_not_by_their_own():
    _, _, slope, batch = minimised(LOGITS, LABELS, FACTS, gamma=1.0)
    assert batch.noise.all()
    assert make_remedy("seql").rare(FACTS).tolist() == [False, False, True, False]
    assert (slope[:, 3] > 0).all(), "a class that is never right is pushed down"
    assert (slope[[0, 1, 3], 2] == 0).all()
    assert slope[2, 2] < 0
    assert (slope[:, :2] != 0).all()


def test_a_mixed_image_owns_both_its_classes():
    others, share = torch.tensor([2, 2, 2, 2]), torch.full((4,), 0.5)
    value, _, slope, _ = minimised(
        LOGITS, LABELS, FACTS, other_labels=others, share=share, gamma=1.0
    )
    assert math.isfinite(value)
    assert (slope[:, 2] != 0).all()


def test_a_class_at_the_threshold_is_not_rare():
    """f < λ, not f ≤ λ: of two classes the second has a quarter, and λ is 0.5 / 2."""
    remedy = make_remedy("seql", {"seql": {"threshold": 0.5}})
    assert remedy.rare(make_facts([3, 1])).tolist() == [False, False]
    assert remedy.rare(make_facts([4, 1])).tolist() == [False, True]


def test_the_logits_are_the_networks_of_the_batchs_images():
    remedy, facts, network = make_remedy("seql"), make_facts([40, 10, 1, 0]), Tiny(4)
    batch = make_batch(torch.tensor([0, 45, 50]), facts, remedy)
    batch = remedy.transform(batch, facts, stream(0, "seql"))
    _, logits = remedy.objective(network, None, batch, Criterion(None, None), facts, 0)
    torch.testing.assert_close(logits, network(batch.images))


def test_gamma_is_how_often_a_class_is_spared():
    remedy = make_remedy("seql", {"seql": {"gamma": 0.7}})
    batch = Batch(torch.zeros(5000, 1), torch.zeros(5000, dtype=torch.int64), torch.arange(5000))
    drawn = remedy.transform(batch, FACTS, stream(0, "seql")).noise
    assert drawn.shape == (5000, 4)
    assert drawn.double().mean().item() == pytest.approx(0.7, abs=0.01)
    assert not torch.equal(drawn[:, 0], drawn[:, 1])


def test_logits_that_overflow_public_code_are_fine():
    huge = torch.tensor([[1e4, -1e4, 1e4, 0.0]] * 4)
    value, _, slope, _ = minimised(huge, LABELS, FACTS)
    assert math.isfinite(value)
    assert slope.isfinite().all()


def test_slopes():
    remedy = make_remedy("seql")
    batch = Batch(torch.zeros(4, 1), LABELS, torch.arange(4))
    batch = remedy.transform(batch, FACTS, stream(0, "seql"))

    def value(logits):
        mean = lambda z, b: torch.nn.functional.cross_entropy(z, b.labels)  # noqa: E731
        # The objective rounds to float32, too coarse for finite differences of 1e-6.
        return remedy.objective(lambda images: logits, None, batch, mean, FACTS, 0)[0]

    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(4, 4))).requires_grad_()
    assert torch.autograd.gradcheck(value, logits, eps=1e-2, atol=1e-3)
