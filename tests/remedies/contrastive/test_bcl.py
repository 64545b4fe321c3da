import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.scene import FACTS, Tiny, make_batch, make_facts
from unskew.data.randomness import stream
from unskew.remedies.contrastive.bcl import balanced_contrastive_loss
from unskew.remedies.contrastive.colour import jitter
from unskew.remedies.criterion import Criterion
from unskew.remedies.registry import make_remedy


def direct(views, labels, prototypes, temperature):
    """The paper's formula, one term at a time in Python floats."""
    points = [v / np.linalg.norm(v) for v in [*views, *prototypes]]
    classes = [*labels, *range(len(prototypes))]

    def similarity(i, k):
        return math.exp(float(points[i] @ points[k]) / temperature)

    total = 0.0
    for i in range(len(views)):
        denominator = 0.0
        for j in range(len(prototypes)):
            others = [k for k in range(len(points)) if classes[k] == j and k != i]
            denominator += sum(similarity(i, k) for k in others) / len(others)
        own = [k for k in range(len(points)) if classes[k] == labels[i] and k != i]
        total -= sum(math.log(similarity(i, p) / denominator) for p in own) / len(own)
    return total / len(views)


@given(st.integers(0, 500), st.integers(1, 9), st.integers(1, 5), st.floats(0.05, 2))
def test_it_is_the_papers_formula(seed, count, classes, temperature):
    rng = stream(seed, "bcl")
    views, prototypes = rng.normal(size=(count, 6)), rng.normal(size=(classes, 6))
    labels = rng.integers(0, classes, count)
    tensors = [torch.from_numpy(array) for array in (views, labels, prototypes)]
    found = balanced_contrastive_loss(*tensors, temperature)
    assert found.item() == pytest.approx(direct(views, labels, prototypes, temperature), rel=1e-9)


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    views = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    prototypes = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 0, 0, 1])
    assert torch.autograd.gradcheck(
        lambda v, p: balanced_contrastive_loss(v, labels, p, 0.5), (views, prototypes)
    )


def test_copies_of_a_negative_pull_no_harder_than_one():
    torch.manual_seed(0)
    anchor, negative, prototypes = torch.randn(1, 4), torch.randn(1, 4), torch.randn(2, 4)
    prototypes[1] = negative[0]

    def pull_on_the_anchor(copies):
        """The gradient that the anchor's own loss and the negatives' losses give it."""
        point = anchor.double().requires_grad_()
        views = torch.cat([point, negative.double().expand(copies, 4)])
        labels = torch.tensor([0] + [1] * copies)
        loss = balanced_contrastive_loss(views, labels, prototypes.double(), 0.3)
        return torch.autograd.grad(loss * (1 + copies), point)[0]

    # Each negative's loss adds the same pull; what is left is the anchor's own, the same too.
    one, two, ten = (pull_on_the_anchor(copies) for copies in (1, 2, 10))
    torch.testing.assert_close(ten - one, 9 * (two - one))


def test_bfloat16_under_autocast_is_computed_in_full():
    torch.manual_seed(0)
    views, prototypes = torch.randn(8, 16), torch.randn(3, 16)
    labels = torch.arange(8) % 3
    full = balanced_contrastive_loss(views, labels, prototypes, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(balanced_contrastive_loss(views, labels, prototypes, 0.1), full)


def test_the_objective_is_the_weighted_sum_of_both_losses():
    remedy = make_remedy("bcl", {"bcl": {"lam": 3.0, "mu": 0.25}})
    torch.manual_seed(0)
    network, heads = Tiny(4), remedy.auxiliary(FACTS).eval()
    batch = make_batch(torch.tensor([0, 1, 2, 40, 50]), FACTS, remedy)
    criterion = Criterion(remedy.loss(FACTS, 0), None)
    total, logits = remedy.objective(network, heads, batch, criterion, FACTS, 0)
    torch.testing.assert_close(logits, network(batch.images))
    counts = np.array([40, 10, 1, 1])
    shifted = logits.detach().double().numpy() + np.log(counts / counts.sum())
    label = batch.labels.numpy()
    compensated = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(5), label]
    with torch.no_grad():
        views = [heads["views"](network.features(view)).double().numpy() for view in batch.views]
        prototypes = heads["prototypes"](network.classifier.weight).double().numpy()
    contrast = direct(np.concatenate(views), [*label, *label], prototypes, 0.1)
    assert total.item() == pytest.approx(3 * compensated.mean() + 0.25 * contrast, rel=1e-4)


def test_the_heads_and_every_part_of_the_network_learn():
    remedy = make_remedy("bcl")
    network, heads = Tiny(4), remedy.auxiliary(FACTS)
    batch = make_batch(torch.arange(0, 51, 5), FACTS, remedy)
    criterion = Criterion(remedy.loss(FACTS, 0), None)
    remedy.objective(network, heads, batch, criterion, FACTS, 0)[0].backward()
    for parameter in [*network.parameters(), *heads.parameters()]:
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()


def test_a_class_without_images_is_compared_with_through_its_prototype():
    views, prototypes = torch.randn(4, 5), torch.randn(3, 5, requires_grad=True)
    balanced_contrastive_loss(views, torch.tensor([0, 1, 0, 1]), prototypes, 0.1).backward()
    assert prototypes.grad[2].norm() > 0


IMAGES = torch.from_numpy(stream(0, "images").normal(size=(6, 3, 5, 4))).float()


def test_no_jitter_changes_nothing():
    torch.testing.assert_close(jitter(IMAGES, 0.0, 0.0, stream(0, "j")), IMAGES)


def test_grey_images_have_one_value_in_all_channels():
    grey = jitter(IMAGES, 0.0, 1.0, stream(0, "j"))
    torch.testing.assert_close(grey, IMAGES.mean(1, keepdim=True).expand_as(IMAGES))


def test_each_image_is_jittered_by_its_own_draws_within_the_strength():
    strength = 0.4
    changed = jitter(IMAGES, strength, 0.0, stream(0, "j")).double()
    images = IMAGES.double()
    shift = (changed.mean((1, 2, 3)) - images.mean((1, 2, 3))).numpy()
    assert (np.abs(shift) <= strength).all()
    assert len(set(shift.round(6))) == 6
    brightness = changed.mean(1).std((1, 2)) / images.mean(1).std((1, 2))
    assert ((brightness - 1).abs() <= strength).all()
    colour = (changed - changed.mean(1, keepdim=True)).flatten(1).norm(dim=1)
    before = (images - images.mean(1, keepdim=True)).flatten(1).norm(dim=1)
    factor = colour / before / brightness
    assert ((factor - 1).abs() <= strength + 1e-6).all()
    assert (factor - 1).abs().max() > 0.05


def test_views_only_are_jittered_and_each_differently():
    remedy = make_remedy("bcl")
    batch = make_batch(torch.arange(5), make_facts([5, 5]), remedy)
    batch = batch.with_(views=(batch.views[0], batch.views[0]))
    changed = remedy.transform(batch, FACTS, stream(0, "t"))
    assert changed.images is batch.images
    first, second = changed.views
    assert not torch.equal(first, batch.views[0])
    assert not torch.equal(first, second)
