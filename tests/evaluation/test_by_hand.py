"""Figures of few images, small enough to be followed by hand, and the edges of their ranges."""

import math

import numpy as np
import pytest

from unskew.data.randomness import stream
from unskew.evaluation.calibration import BINS, binned_gap, expected_calibration_error
from unskew.evaluation.confusion import confusion_matrix
from unskew.evaluation.evaluation import evaluate_logits
from unskew.evaluation.groups import by_shots, classes_of, is_minority
from unskew.evaluation.probabilities import log_softmax
from unskew.evaluation.ranking import auroc_one_vs_rest


def gap(confidence, happened):
    """Bin by bin, (lower, upper], with 0 in the first."""
    total = 0.0
    for k in range(BINS):
        inside = [
            (c, h) for c, h in zip(confidence, happened, strict=True)
            if k / BINS < c <= (k + 1) / BINS or (k == 0 and c == 0)
        ]  # fmt: skip
        total += abs(math.fsum(h - c for c, h in inside))
    return total / len(confidence)


def test_confidence_is_binned_from_the_left():
    rng = stream(0, "binned")
    confidence = np.concatenate([rng.random(300), [0.0, 1 / BINS, 2 / BINS, 1.0, 0.99]])
    happened = rng.random(305) < 0.4
    found = binned_gap(confidence, happened)
    assert found == pytest.approx(gap(confidence.tolist(), happened.tolist()))


def test_neighbouring_bins_do_not_cancel_at_either_end():
    for low, high in ((0.02, 0.1), (0.9, 0.95)):
        found = binned_gap(np.array([low, high]), np.array([True, False]))
        assert found == pytest.approx((1 - low + high) / 2)


def test_a_rounding_error_above_1_belongs_to_the_last_bin():
    # 1 is wrong and 0.98 right: apart they would be off by 1 and 0.02, together by 0.98.
    assert binned_gap(np.array([1 + 1e-12, 0.98]), np.array([False, True])) == pytest.approx(0.49)


def test_calibration_of_four_images():
    logits = np.log([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.05, 0.05, 0.9]])
    labels = [0, 2, 0, 2]
    figures = evaluate_logits(logits, labels, class_names=("a", "b", "c"), train_counts=[5, 5, 5])
    # 0.7 right, 0.5 wrong, 0.6 right, 0.9 right, each in a bin of its own.
    assert figures.ece == pytest.approx((0.3 + 0.5 + 0.4 + 0.1) / 4)
    by_class = [
        gap([0.7, 0.2, 0.6, 0.05], [1, 0, 1, 0]),
        gap([0.2, 0.5, 0.3, 0.05], [0, 0, 0, 0]),
        gap([0.1, 0.3, 0.1, 0.9], [0, 1, 0, 1]),
    ]
    assert figures.classwise_ece == pytest.approx(sum(by_class) / 3)
    squares = [0.14, 0.04 + 0.25 + 0.49, 0.16 + 0.09 + 0.01, 0.0025 * 2 + 0.01]
    assert figures.brier == pytest.approx(sum(squares) / 4)
    assert figures.nll == pytest.approx(-math.log(0.7 * 0.3 * 0.6 * 0.9) / 4)


def test_the_top_prediction_is_each_rows_own():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert expected_calibration_error(probabilities, np.array([0, 1])) == pytest.approx(0.15)


def test_logits_of_any_size_neither_overflow_nor_vanish():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = log_softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]]))
    np.testing.assert_allclose(found, [[0, -1000], [-math.log(2)] * 2])


def test_a_class_that_cannot_be_ranked_is_not_divided_by_nothing():
    with np.errstate(all="raise"):
        areas = auroc_one_vs_rest(np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([1, 1]))
    assert np.isnan(areas).all()


def test_groups_end_where_they_say():
    recall = np.array([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])
    found = by_shots(recall, np.array([500, 101, 100, 20, 19, 1]))
    assert found == (pytest.approx(0.9), pytest.approx(0.5), pytest.approx(0.1))
    # Two thirds of the mean of 3 are 2: no fewer than that.
    assert is_minority(np.array([2, 3, 4])).tolist() == [False] * 3
    assert is_minority(np.array([1, 4, 4])).tolist() == [True, False, False]


def test_what_is_recorded_beside_the_figures():
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    figures = evaluate_logits(
        logits, [0, 1, 1], class_names=["Kätzchen", "犬"], train_counts=np.array([9.0, 1.0])
    )
    assert figures.split == "test"
    assert figures.class_names == ("Kätzchen", "犬")
    assert figures.support == (1, 2)
    assert figures.confusion == ((1, 0), (1, 1))
    assert [type(count) for count in figures.train_counts] == [int, int]
    assert figures.train_counts == (9, 1)
    assert confusion_matrix(np.array([0]), np.array([1]), 2).dtype == np.int64
    assert '"Kätzchen", "犬"' in figures.to_json()
    other = evaluate_logits(
        logits, [0, 1, 1], class_names=("a", "b"), train_counts=[9, 1], split="validation"
    )
    assert other.split == "validation"


def test_labels_and_logits_of_small_types_are_widened():
    rng = stream(0, "small types")
    logits = rng.normal(0, 3, (40, 17)).astype(np.float32)
    labels = rng.integers(0, 17, 40)
    names, counts = tuple(map(str, range(17))), [5] * 17
    small = evaluate_logits(logits, labels.astype(np.uint8), class_names=names, train_counts=counts)
    wide = evaluate_logits(logits.astype(float), labels, class_names=names, train_counts=counts)
    assert small == wide


def test_refusals_name_what_is_wrong():
    two = {"class_names": ("a", "b")}
    with pytest.raises(ValueError, match=r"^train_counts must be \(2,\), not \(3,\)"):
        evaluate_logits(np.zeros((1, 2)), [0], train_counts=[1, 1, 1], **two)
    with pytest.raises(ValueError, match=r"^logits must be finite: the network .* NaN or infinity"):
        evaluate_logits([[0.0, np.nan]], [0], train_counts=[1, 1], **two)


def test_what_is_given_to_a_class_without_images_is_a_gap_too():
    logits = np.log([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2]])
    figures = evaluate_logits(logits, [0, 1], class_names=("a", "b", "c"), train_counts=[5, 5, 5])
    assert figures.support[2] == 0
    by_class = [gap([0.6, 0.2], [1, 0]), gap([0.3, 0.6], [0, 1]), gap([0.1, 0.2], [0, 0])]
    assert figures.classwise_ece == pytest.approx(sum(by_class) / 3)


def test_a_group_is_named_by_its_classes():
    assert classes_of("minority_accuracy", [9, 100, 101]) == (True, False, False)
    assert classes_of("majority_accuracy", [9, 100, 101]) == (False, True, True)
    assert classes_of("many_accuracy", [9, 100, 101]) == (False, False, True)
    assert classes_of("medium_accuracy", [9, 100, 101]) == (False, True, False)
    assert classes_of("few_accuracy", [9, 100, 101]) == (True, False, False)
    assert classes_of("balanced_accuracy", [9, 100, 101]) is None
