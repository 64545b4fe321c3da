"""Every figure against an independent library, absent classes included."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from unskew.data.randomness import stream
from unskew.evaluation.confusion import accuracy_under_prior
from unskew.evaluation.evaluation import evaluate_logits
from unskew.evaluation.probabilities import softmax
from unskew.training.outcome import load_evaluation

CASES = 10_000
BLOCK = 250
"""Cases a test; the 10,000 are split so that a failure names its block."""


def case(index):
    """Random logits and labels; some classes absent, some logits extreme, some tied."""
    rng = stream(index, "evaluation case")
    classes, count = int(rng.integers(2, 7)), int(rng.integers(1, 40))
    present = rng.permutation(classes)[: rng.integers(1, classes + 1)]
    labels = rng.choice(present, count)
    logits = rng.normal(0, rng.choice([0.1, 1, 10, 300]), (count, classes))
    if index % 5 == 0:
        logits = logits.round()
    counts = rng.integers(1, 300, classes)
    return logits, labels, counts


def evaluate(logits, labels, counts):
    names = tuple(map(str, range(logits.shape[1])))
    return evaluate_logits(logits, labels, class_names=names, train_counts=counts)


def odds(row, k):
    """log(p_k / (1 - p_k)) of one row; what differs by rounding alone is equal."""
    return round(float(row[k] - logsumexp(np.delete(row, k))), 9)


def compare(index):
    """One case against scikit-learn and torchmetrics."""
    logits, labels, counts = case(index)
    ours = evaluate(logits, labels, counts)
    classes, predicted = logits.shape[1], logits.argmax(axis=1)
    present = np.unique(labels)
    everything = range(classes)
    assert (
        np.array(ours.confusion) == sk.confusion_matrix(labels, predicted, labels=everything)
    ).all()
    assert ours.accuracy == pytest.approx(sk.accuracy_score(labels, predicted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = sk.balanced_accuracy_score(labels, predicted)
    assert ours.balanced_accuracy == pytest.approx(balanced)
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        labels, predicted, labels=everything, zero_division=0
    )
    assert list(ours.support) == support.tolist()
    for k in everything:
        if k in present:
            assert ours.class_accuracy[k] == pytest.approx(recall[k])
            assert ours.precision[k] == pytest.approx(precision[k])
            assert ours.f1[k] == pytest.approx(f1[k])
        else:
            assert ours.class_accuracy[k] is ours.precision[k] is ours.f1[k] is None
    assert ours.macro_f1 == pytest.approx(f1[present].mean())
    assert ours.worst_class_accuracy == pytest.approx(recall[present].min())

    answers = torch.from_numpy(predicted), torch.from_numpy(labels), classes
    unchecked = {"validate_args": False}
    theirs = multiclass_confusion_matrix(*answers, **unchecked)
    assert (np.array(ours.confusion) == theirs.numpy()).all()
    theirs = multiclass_accuracy(*answers, average="micro", **unchecked)
    assert ours.accuracy == pytest.approx(theirs.item(), rel=1e-6)
    theirs = multiclass_f1_score(*answers, average=None, **unchecked).numpy()
    assert [ours.f1[k] for k in present] == pytest.approx(theirs[present].tolist(), rel=1e-6)
    prior = counts / counts[present].sum()
    weights = (counts / support.clip(1))[labels]
    expected = sk.accuracy_score(labels, predicted, sample_weight=weights)
    assert accuracy_under_prior(np.array(ours.confusion), prior) == pytest.approx(expected)

    probabilities = torch.from_numpy(logits).softmax(dim=1)
    log = torch.from_numpy(logits).log_softmax(dim=1)[np.arange(len(labels)), labels]
    assert ours.nll == pytest.approx(-log.mean().item())
    one_hot = np.eye(classes)[labels]
    brier = ((probabilities.numpy() - one_hot) ** 2).sum(axis=1).mean()
    assert ours.brier == pytest.approx(brier, abs=1e-12)
    for k in everything:
        if 0 < (labels == k).sum() < len(labels):
            # By the odds, row by row: of probabilities near 1 all that are left are ties.
            area = sk.roc_auc_score(labels == k, [odds(row, k) for row in logits])
            assert ours.auroc[k] == pytest.approx(area)
        else:
            assert ours.auroc[k] is None
    np.testing.assert_allclose(softmax(logits), probabilities, atol=1e-12)
    # Torchmetrics breaks ties the other way, and gives a confidence of 1 a bin of its own.
    if index % 20 == 1 and probabilities.max() < 1 - 1e-6:
        theirs = multiclass_calibration_error(
            probabilities, torch.from_numpy(labels), classes, n_bins=15
        )
        assert ours.ece == pytest.approx(theirs.item(), abs=1e-5)
    if index % 20 == 1 and probabilities.min() > 1e-6:
        theirs = [
            binary_calibration_error(
                probabilities[:, k].contiguous(), torch.from_numpy(labels == k), n_bins=15
            )
            for k in everything
        ]
        assert ours.classwise_ece == pytest.approx(np.mean(theirs), abs=1e-5)


BLOCKS = [
    pytest.param(block, marks=[pytest.mark.slow] if block else [])
    for block in range(CASES // BLOCK)
]
"""All cases take minutes: one block is run each time."""


@pytest.mark.parametrize("block", BLOCKS)
def test_against_scikit_learn_and_torchmetrics(block):
    for index in range(block * BLOCK, (block + 1) * BLOCK):
        compare(index)


def test_the_first_cases_alone():
    """Enough of them to notice a mistake, for runs that have no minutes to spend."""
    for index in range(42):
        compare(index)


def test_group_means_follow_the_training_counts():
    counts = [500, 101, 100, 20, 19, 1]
    labels = np.repeat(np.arange(6), 2)
    logits = np.eye(6)[labels]
    logits[1::2] = np.eye(6)[(labels[1::2] + 1) % 6]  # half of each class is wrong
    logits[0] = -logits[0]  # and both of class 0
    figures = evaluate(logits, labels, counts)
    assert figures.class_accuracy == (0, 0.5, 0.5, 0.5, 0.5, 0.5)
    assert figures.many_accuracy == 0.25
    assert figures.medium_accuracy == 0.5
    assert figures.few_accuracy == 0.5
    # The mean class has 123.5 images; fewer than two thirds of that is a minority.
    assert figures.minority_accuracy == 0.5
    assert figures.majority_accuracy == pytest.approx(1 / 3)


def test_almost_balanced_training_sets_have_no_minority():
    logits = np.eye(3)
    assert evaluate(logits, np.arange(3), [100, 100, 100]).minority_accuracy is None
    assert evaluate(logits, np.arange(3), [142, 139, 146]).majority_accuracy is None


def test_json_holds_it_whole(tmp_path):
    figures = evaluate(*case(3))
    (tmp_path / "evaluation.json").write_text(figures.to_json())
    assert load_evaluation(tmp_path) == figures


def test_figures_of_another_number_of_classes_are_refused():
    figures = evaluate(*case(3))
    for field in ("support", "confusion", "f1"):
        with pytest.raises(ValueError, match="4 classes: give figures of each"):
            replace(figures, **{field: getattr(figures, field)[1:]})


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (np.zeros((2, 3)), [0, 1], "logits must be"),
        (np.zeros((2, 2)), [0], "labels must be"),
        (np.zeros((0, 2)), [], "not empty"),
        (np.zeros((2, 2)), [0, 2], "must lie in"),
        (np.array([[0, np.nan]]), [0], "must be finite"),
        (np.array([[0, np.inf]]), [0], "must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(logits, labels, words):
    with pytest.raises(ValueError, match=words):
        evaluate_logits(
            logits, np.array(labels, dtype=int), class_names=("a", "b"), train_counts=[1, 1]
        )


@given(st.integers(0, 5000), st.floats(0.01, 0.99))
@settings(deadline=None)
def test_accuracy_under_a_prior_is_what_reweighted_images_would_give(index, share):
    logits, labels, counts = case(index)
    confusion = np.array(evaluate(logits, labels, counts).confusion)
    support = confusion.sum(axis=1)
    # Under the prior the images themselves have, it is plain accuracy.
    assert accuracy_under_prior(confusion, support.astype(float)) == pytest.approx(
        np.trace(confusion) / support.sum()
    )
    uniform = accuracy_under_prior(confusion, np.full(len(support), share))
    assert uniform == pytest.approx(evaluate(logits, labels, counts).balanced_accuracy)


def test_areas_of_sure_predictions_are_ordered_by_how_sure_they_are():
    """Their probabilities are 1.0 all, in float64 as well; of two classes the areas are one."""
    logits = np.array([[60.0, 0.0], [50.0, 0.0], [40.0, 0.0], [45.0, 0.0]])
    assert evaluate(logits, [0, 0, 1, 1], [9, 9]).auroc == (1.0, 1.0)
    assert evaluate(logits * 30, [0, 0, 1, 1], [9, 9]).auroc == (1.0, 1.0)
    assert evaluate(-logits, [0, 0, 1, 1], [9, 9]).auroc == (0.0, 0.0)


def test_equal_odds_are_ties_however_they_are_written():
    """Rounding of logits that are large together must not order what is equal."""
    steps = np.array([[1.0, 0.25], [2.0, 1.25], [7.0, 6.25], [101.0, 100.25]])
    assert evaluate(steps, [0, 1, 0, 1], [9, 9]).auroc == (0.5, 0.5)


@pytest.mark.parametrize(
    ("labels", "counts", "words"),
    [
        ([0.9, 1.2], [1, 2], "labels must be whole numbers from 0 up"),
        (["0", "1"], [1, 2], "labels must be whole numbers from 0 up"),
        ([0, float("nan")], [1, 2], "labels must be whole numbers from 0 up"),
        ([0, 1], [2.7, 2], "train_counts must be whole numbers from 0 up"),
        ([0, 1], [-3, 2], "train_counts must be whole numbers from 0 up"),
        ([0, 1e30], [1, 2], "labels must be whole numbers from 0 up"),
    ],
)
def test_what_are_no_classes_or_counts_is_refused(labels, counts, words):
    with pytest.raises(ValueError, match=words):
        evaluate(np.zeros((2, 2)), labels, counts)


@pytest.mark.parametrize("prior", [[1.0], [-1, 3], [float("inf"), 1], [float("nan"), 1]])
def test_what_is_no_prior_is_refused(prior):
    found = evaluate(np.eye(2), [0, 1], [1, 2])
    with pytest.raises(ValueError, match="a prior must be 2 finite shares, none below 0"):
        found.accuracy_under(prior)


def test_logits_of_a_network_are_taken_as_they_come():
    logits = torch.tensor([[2.0, 0.0], [0.5, 1.0]], requires_grad=True)
    given = {"class_names": ("a", "b"), "train_counts": [9, 1]}
    wanted = evaluate_logits(logits.detach().numpy(), [0, 1], **given)
    assert evaluate_logits(logits, [0, 1], **given) == wanted
    assert evaluate_logits(logits.bfloat16(), torch.tensor([0, 1]), **given) == wanted
