"""Inverse frequency, effective number, deferred weights and costs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from tests.remedies.losses.cases import COUNTS, examined, problems
from tests.remedies.scene import FACTS, make_batch, make_facts
from unskew.errors import UserError
from unskew.remedies.base import Remedy
from unskew.remedies.counts import weights_of_mean_one
from unskew.remedies.criterion import Criterion
from unskew.remedies.losses.effective_number import inverse_effective_number
from unskew.remedies.registry import make_remedy

sizes = st.lists(st.integers(0, 5000), min_size=2, max_size=8).filter(lambda counts: any(counts))


def weights(name, counts, epoch=0, **options):
    """Class weights, float64 (K,), or None."""
    found = make_remedy(name, {name: options}).class_weights(make_facts(counts), epoch)
    return None if found is None else found.double().numpy()


def of_mean_one(values, counts):
    """The direct way: present classes scaled to mean 1, the others 0."""
    some = [value if n else 0.0 for value, n in zip(values, counts, strict=True)]
    present = sum(n > 0 for n in counts)
    return [value * present / sum(some) for value in some]


@examined
@given(sizes)
def test_inverse_frequency_is_scikit_learns_balanced_up_to_scale(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    found = weights("inverse_frequency", counts)[np.unique(labels)]
    np.testing.assert_allclose(found / found[0], expected / expected[0], rtol=1e-5)


@examined
@given(sizes, st.floats(0, 0.999999))
def test_effective_number_is_the_formula(counts, beta):
    effective = [sum(beta**i for i in range(n)) for n in counts]
    expected = of_mean_one([1 / e if e else 0.0 for e in effective], counts)
    np.testing.assert_allclose(weights("effective_number", counts, beta=beta), expected, rtol=1e-5)


def test_the_inverse_effective_number_is_one_over_a_geometric_sum():
    counts = [1, 2, 7, 300]
    for beta in (0.5, 0.99, 0.999999):
        expected = [1 / sum(beta**i for i in range(n)) for n in counts]
        found = inverse_effective_number(np.array(counts, dtype=float), beta)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    with np.errstate(all="raise"):  # Not by way of log(0).
        assert inverse_effective_number(np.array([1.0, 9.0]), 0).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (0.9, [0.098386, 0.167350, 0.611556]),
        (0.99, [0.011688, 0.197506, 0.554270]),
        (0.999, [0.002991, 0.200284, 0.547121]),
        (0.9999, [0.002417, 0.200512, 0.546268]),
    ],
)
def test_effective_number_agrees_with_balanced_loss(beta, expected):
    """Numbers of `balanced_loss.Loss`, version 0.1.1, an image at a time: weight times loss."""
    logits = torch.tensor([[2.0, -1.0, 0.5, 0.0], [0.3, 0.1, -0.2, 4.0], [-3.0, 1.5, 1.0, 0.0]])
    labels = torch.tensor([0, 3, 2])
    weight = weights("effective_number", COUNTS, beta=beta)[labels]
    found = weight * F.cross_entropy(logits, labels, reduction="none").double().numpy()
    np.testing.assert_allclose(found, expected, atol=2e-6)


@examined
@given(sizes)
def test_effective_number_lies_between_equal_and_inverse_frequency(counts):
    present = np.array(counts) > 0
    np.testing.assert_allclose(weights("effective_number", counts, beta=0.0), present)
    nearly_one = weights("effective_number", counts, beta=1 - 1e-12)
    np.testing.assert_allclose(nearly_one, weights("inverse_frequency", counts), rtol=1e-5)


@examined
@given(sizes, st.floats(0, 3))
def test_costs_and_rarity_multiply(counts, gamma):
    costs = tuple(float(k + 1) for k in range(len(counts)))
    least = min(n for n in counts if n)
    rarity = [(least / max(n, 1)) ** gamma for n in counts]
    by_rarity = weights("cost_sensitive", counts, gamma=gamma)
    np.testing.assert_allclose(by_rarity, of_mean_one(rarity, counts), rtol=1e-5)
    both = weights("cost_sensitive", counts, gamma=gamma, costs=costs)
    product = [c * r for c, r in zip(costs, rarity, strict=True)]
    np.testing.assert_allclose(both, of_mean_one(product, counts), rtol=1e-5)


@examined
@given(sizes)
def test_rarity_alone_is_inverse_frequency(counts):
    found = weights("cost_sensitive", counts)
    np.testing.assert_allclose(found, weights("inverse_frequency", counts), rtol=1e-6)
    assert weights("cost_sensitive", counts, gamma=0).tolist() == [float(n > 0) for n in counts]


def test_a_weight_that_float32_rounds_to_nothing_is_refused():
    """Or a batch of such a class alone would be a division of 0 by 0, which reads as divergence."""
    facts = make_facts([9, 9])
    for low in (1e-30, 1e-60):
        remedy = make_remedy("cost_sensitive", {"cost_sensitive": {"costs": (1e30, low)}})
        with pytest.raises(UserError, match="more or less than a number can hold"):
            remedy.class_weights(facts, 0)
        with pytest.raises(UserError, match=r"^remedy 'cost_sensitive': .*a number can hold"):
            remedy.check(facts)  # before anything is trained
    remedy = make_remedy("cost_sensitive", {"cost_sensitive": {"costs": (1e20, 1e-20)}})
    assert (remedy.class_weights(facts, 0) > 0).all()


def test_as_many_costs_as_classes():
    remedy = make_remedy("cost_sensitive", {"cost_sensitive": {"costs": [1, 2]}})
    with pytest.raises(UserError, match="2 costs are given for 4 classes"):
        remedy.check(FACTS)
    remedy.check(make_facts([3, 3]))


@pytest.mark.parametrize(
    ("epochs", "start", "first"),
    [(200, 0.8, 160), (5, 0.8, 4), (10, 0.29, 2), (100, 0.29, 29), (3, 0.99, 2), (4, 0.0, 0)],
)
def test_deferred_weights_begin_when_said_and_are_those_of_the_effective_number(
    epochs, start, first
):
    counts = [40, 10, 1]
    facts = make_facts(counts, epochs)
    remedy = make_remedy("drw", {"drw": {"start": start, "beta": 0.99}})
    began = [remedy.class_weights(facts, epoch) is not None for epoch in range(epochs)]
    assert began == [epoch >= first for epoch in range(epochs)]
    found = remedy.class_weights(facts, epochs - 1).double().numpy()
    np.testing.assert_allclose(found, weights("effective_number", counts, beta=0.99))


@examined
@given(problems(present=False))
def test_the_weighted_mean_is_pytorchs(problem):
    facts, logits, labels = problem
    logits, labels = torch.from_numpy(logits).float(), torch.from_numpy(labels)
    weight = make_remedy("inverse_frequency").class_weights(facts, 0)
    batch = make_batch(torch.zeros(len(labels), dtype=torch.int64), facts, Remedy())
    found = Criterion(None, weight)(logits, batch.with_(labels=labels))
    torch.testing.assert_close(found, F.cross_entropy(logits, labels, weight=weight))


def test_focal_takes_its_p_from_the_unweighted_softmax():
    """The weights multiply the finished focal loss; they are not inside its p."""
    facts = make_facts([40, 10, 1])
    remedy = make_remedy("focal+inverse_frequency")
    weight = remedy.class_weights(facts, 0)
    labels = torch.tensor([0, 1, 2])
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.0, 0.3], [0.0, 1.0, 0.2]])
    batch = make_batch(torch.zeros(3, dtype=torch.int64), facts, remedy).with_(labels=labels)
    found = Criterion(remedy.loss(facts, 0), weight)(logits, batch)
    p = F.softmax(logits, dim=1)[torch.arange(3), labels]
    focal = -((1 - p) ** 2) * p.log()
    torch.testing.assert_close(found, (weight * focal).sum() / weight.sum())


@pytest.mark.parametrize("gamma", [30.0, 150.0, 170.0, 1000.0])
def test_a_huge_gamma_that_leaves_a_class_nothing_is_refused(gamma):
    """Whether it is float32 that rounds to nothing or float64 before it."""
    assert weights("cost_sensitive", [5000, 5000], gamma=gamma).tolist() == [1, 1]
    with pytest.raises(UserError, match="choose smaller ones"):
        weights("cost_sensitive", [5000, 50, 0], gamma=gamma)


@pytest.mark.parametrize("by", [0.0, np.inf, np.nan])
def test_weights_that_no_number_holds_are_an_error_and_no_nan(by):
    facts = make_facts([50, 5, 0])
    with pytest.raises(UserError, match="choose smaller ones"):
        weights_of_mean_one(np.array([by, by, 1.0]), facts)
