import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.remedies.posthoc.mixture import perfect_logits, sample
from tests.remedies.scene import make_facts
from unskew.remedies.base import HeldOut
from unskew.remedies.posthoc import bbse, em
from unskew.remedies.registry import make_remedy

COUNTS = np.array([800, 150, 50])
FACTS = make_facts(COUNTS)
PRIOR = COUNTS / 1000
TARGETS = [(1 / 3, 1 / 3, 1 / 3), (0.05, 0.15, 0.8), (0.8, 0.15, 0.05), (0.5, 0.5, 0.0)]


def by_bbse(target, seed=0, size=200_000):
    held, labels = sample(PRIOR, size, seed)
    points, _ = sample(target, size, seed + 1)
    predicted, unlabelled = (perfect_logits(p, PRIOR).argmax(1).numpy() for p in (held, points))
    return bbse.estimate_prior(predicted, labels, unlabelled, PRIOR)


@pytest.mark.parametrize("target", TARGETS)
def test_both_recover_a_known_prior(target):
    points, _ = sample(target, 20_000, 1)
    by_em, _ = em.estimate_prior(perfect_logits(points, PRIOR).numpy(), PRIOR)
    np.testing.assert_allclose(by_em, target, atol=0.02)
    np.testing.assert_allclose(by_bbse(target), target, atol=0.04)


def likelihood(q, logits, prior):
    posterior = np.exp(logits - logits.max(1, keepdims=True))
    posterior /= posterior.sum(1, keepdims=True)
    return np.log(posterior @ (q / prior)).mean()


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_em_finds_what_a_general_optimiser_finds(seed):
    rng = np.random.default_rng(seed)
    prior = rng.dirichlet([2, 2, 2])
    logits = rng.normal(size=(200, 3)) * 2
    found, _ = em.estimate_prior(logits, prior)
    assert found.sum() == pytest.approx(1)
    best = minimize(
        lambda q: -likelihood(q, logits, prior),
        np.full(3, 1 / 3),
        bounds=[(1e-9, 1)] * 3,
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    assert likelihood(found, logits, prior) >= -best.fun - 1e-6
    np.testing.assert_allclose(found, best.x, atol=5e-3)


def test_the_prior_of_training_is_where_em_stays():
    points, _ = sample(PRIOR, 20_000, 3)
    found, _ = em.estimate_prior(perfect_logits(points, PRIOR).numpy(), PRIOR)
    np.testing.assert_allclose(found, PRIOR, atol=0.01)


@pytest.mark.parametrize("logits", [np.zeros((5, 3)), np.full((4, 3), 1e4), np.eye(3) * 1e4])
def test_em_is_finite_for_any_logits_and_gives_nothing_to_unseen_classes(logits):
    assert np.isfinite(em.estimate_prior(logits, PRIOR)[0]).all()
    found, _ = em.estimate_prior(logits, np.array([0.5, 0.5, 0.0]))
    assert found[2] == 0
    assert found.sum() == pytest.approx(1)


def test_bbse_is_exact_where_the_frequencies_are():
    # 80 % of class 0 and 90 % of class 1 are recognised; of 100 images 45 are called 0.
    labels = np.repeat([0, 1], [10, 10])
    predicted = np.array([0] * 8 + [1] * 2 + [1] * 9 + [0])
    unlabelled = np.repeat([0, 1], [45, 55])
    found = bbse.estimate_prior(predicted, labels, unlabelled, np.array([0.9, 0.1]))
    assert found == pytest.approx([0.5, 0.5])


def test_bbse_of_a_perfect_classifier_counts_its_predictions():
    labels = np.arange(9) % 3
    unlabelled = np.repeat([0, 1, 2], [2, 3, 5])
    found = bbse.estimate_prior(labels, labels, unlabelled, PRIOR)
    np.testing.assert_allclose(found, [0.2, 0.3, 0.5])


def test_a_class_that_could_not_be_held_out_keeps_its_share():
    labels = np.array([0, 0, 1, 1])
    found = bbse.estimate_prior(labels, labels, np.array([0, 1, 1, 1]), np.array([0.6, 0.3, 0.1]))
    assert found == pytest.approx([0.9 / 4, 0.9 * 3 / 4, 0.1])
    nothing = np.zeros(0, dtype=np.int64)
    kept = bbse.estimate_prior(nothing, nothing, np.array([0]), np.array([0.6, 0.3, 0.1]))
    assert kept == pytest.approx([0.6, 0.3, 0.1])


@given(st.integers(0, 500), st.integers(1, 30), st.integers(1, 30))
def test_bbse_is_a_distribution_whatever_is_predicted(seed, held, count):
    rng = np.random.default_rng(seed)
    predicted, labels, unlabelled = (rng.integers(0, 3, n) for n in (held, held, count))
    found = bbse.estimate_prior(predicted, labels, unlabelled, PRIOR)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()


@pytest.mark.parametrize("name", ["posthoc_em", "posthoc_bbse"])
def test_logits_are_adjusted_to_the_estimate_and_the_note_tells_it(name):
    target = np.array([0.1, 0.2, 0.7])
    held, labels = sample(PRIOR, 20_000, 5)
    points, truth = sample(target, 20_000, 6)
    logits = perfect_logits(points, PRIOR)
    given_ = HeldOut(logits, perfect_logits(held, PRIOR), torch.from_numpy(labels))
    adjustment = make_remedy(name).adjustment(FACTS, given_)
    ideal = perfect_logits(points, target)
    found = (adjustment(logits).argmax(1).numpy() == truth).mean()
    assert found == pytest.approx((ideal.argmax(1).numpy() == truth).mean(), abs=3e-3)
    assert found > (logits.argmax(1).numpy() == truth).mean() + 0.1
    shares = [float(word) for word in adjustment.note.split(": ")[1].split(", ")]
    assert shares == pytest.approx(target, abs=0.04)


def test_an_estimate_of_zero_leaves_the_logits_finite():
    logits = torch.tensor([[9.0, 0.0, 0.0]]).repeat(20, 1)
    adjustment = make_remedy("posthoc_em").adjustment(FACTS, HeldOut(logits))
    assert adjustment(logits).isfinite().all()
    assert (adjustment(logits).argmax(1) == 0).all()
    # Few are there, not none: nothing is moved further than to one in a million.
    assert adjustment.shift.min() >= np.log(1e-6) - 1e-3


def test_an_estimate_that_has_not_settled_says_so(monkeypatch):
    points, _ = sample(TARGETS[1], 500, 1)
    logits = perfect_logits(points, PRIOR).float()
    settled = em.PosthocEM().adjustment(FACTS, HeldOut(logits))
    assert "on the move" not in settled.note
    monkeypatch.setattr(em, "MAX_ROUNDS", 2)
    assert (
        em.PosthocEM()
        .adjustment(FACTS, HeldOut(logits))
        .note.endswith("still on the move after 2 rounds")
    )
