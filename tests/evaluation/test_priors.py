"""Figures under another prior, against images drawn with that prior."""

import numpy as np
import pytest

from unskew.data.randomness import stream
from unskew.evaluation.calibration import negative_log_likelihood
from unskew.evaluation.confusion import accuracy_under_prior
from unskew.evaluation.evaluation import evaluate_logits
from unskew.evaluation.priors import log_loss_under_prior, over_present, tilted_prior


def test_a_prior_is_tilted_from_the_counts_through_even_to_reversed():
    counts = np.array([5000, 500, 50])
    assert tilted_prior(counts, 1) == pytest.approx(counts / counts.sum())
    assert tilted_prior(counts, 0) == pytest.approx([1 / 3] * 3)
    assert tilted_prior(counts, -1) == pytest.approx(counts[::-1] / counts.sum())


def test_no_count_is_too_large_or_too_small_to_tilt():
    assert tilted_prior(np.array([10**9, 0]), -40) == pytest.approx([0, 1])
    assert tilted_prior(np.array([10**9, 10**8]), 40) == pytest.approx([1, 0])
    assert tilted_prior(np.array([0, 1]), 1) == pytest.approx([0.5, 0.5])
    assert tilted_prior(np.array([1, 2]), 1) == pytest.approx([1 / 3, 2 / 3])


def images(prior, count=60_000):
    """Labels drawn from a prior, and logits that depend on the label alone."""
    rng = stream(0, "prior images")
    labels = rng.choice(len(prior), count, p=prior)
    logits = rng.normal(0, 1, (count, len(prior)))
    logits[np.arange(count), labels] += np.array([2.0, 1.0, 0.5])[labels]
    return logits, labels


def test_what_is_foretold_for_a_prior_is_what_images_with_that_prior_give():
    target = np.array([0.1, 0.2, 0.7])
    here, there = images([0.5, 0.3, 0.2]), images(target)
    figures, later = (
        evaluate_logits(*set_, class_names=("a", "b", "c"), train_counts=[9, 9, 9])
        for set_ in (here, there)
    )
    assert abs(figures.accuracy - later.accuracy) > 0.1
    assert figures.accuracy_under(target) == pytest.approx(later.accuracy, abs=0.01)
    assert log_loss_under_prior(*here, target) == pytest.approx(later.nll, abs=0.015)


def test_under_the_images_own_prior_nothing_changes():
    logits, labels = images([0.5, 0.3, 0.2], 500)
    own = np.bincount(labels) * 3.0
    assert log_loss_under_prior(logits, labels, own) == pytest.approx(
        negative_log_likelihood(logits, labels)
    )


def test_classes_without_images_are_left_out():
    logits, labels = np.array([[3.0, 0, 0], [0, 0, 1.0]]), np.array([0, 2])
    prior = np.array([0.2, 0.6, 0.2])
    assert over_present(prior, np.array([1, 0, 1])).tolist() == [0.5, 0, 0.5]
    assert log_loss_under_prior(logits, labels, prior) == pytest.approx(
        negative_log_likelihood(logits, labels)
    )


def test_the_last_classes_may_be_without_images_too():
    logits, labels = np.array([[3.0, 0, 0], [0, 1.0, 0]]), np.array([0, 1])
    assert log_loss_under_prior(logits, labels, np.array([0.25, 0.25, 0.5])) == pytest.approx(
        negative_log_likelihood(logits, labels)
    )


def test_a_prior_of_absent_classes_alone_is_refused():
    confusion, prior = np.array([[3, 1], [0, 0]]), np.array([0.0, 1.0])
    with pytest.raises(ValueError, match=r"^the prior gives no weight to any class"):
        accuracy_under_prior(confusion, prior)
    with pytest.raises(ValueError, match=r"^the prior gives no weight to any class"):
        log_loss_under_prior(np.eye(2)[:1], np.array([0]), prior)


def test_the_mean_area_leaves_out_what_is_undefined():
    names = ("a", "b", "c")
    figures = evaluate_logits(
        [[2, 0, 0], [0, 1, 0], [1, 0, 0]], [0, 1, 1], class_names=names, train_counts=[1, 1, 1]
    )
    assert figures.auroc[2] is None
    assert figures.mean_auroc == pytest.approx((figures.auroc[0] + figures.auroc[1]) / 2)
    alone = evaluate_logits([[1.0, 0, 0]], [0], class_names=names, train_counts=[1, 1, 1])
    assert alone.mean_auroc is None
