from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from tests.remedies.scene import FACTS, make_facts
from unskew.data.randomness import stream
from unskew.remedies.registry import make_remedy
from unskew.remedies.sampling.class_draws import class_probability, draw_by_class

counts_with_images = st.lists(st.integers(0, 5000), min_size=1, max_size=20).filter(any)


@given(counts_with_images, st.floats(0, 1))
def test_probabilities_are_those_of_the_formula(counts, q):
    probability = class_probability(np.array(counts), q)
    powers = [n**q if n else 0.0 for n in counts]
    np.testing.assert_allclose(probability, np.array(powers) / sum(powers))
    assert probability.sum() == pytest.approx(1)


@given(counts_with_images)
def test_q_runs_from_classes_alike_to_images_alike(counts):
    counts = np.array(counts)
    np.testing.assert_allclose(class_probability(counts, 1), counts / counts.sum())
    even = class_probability(counts, 0)
    assert set(even[counts > 0]) == {1 / (counts > 0).sum()}
    assert not even[counts == 0].any()


@given(counts_with_images, st.integers(0, 10))
def test_a_draw_is_as_long_as_the_data_and_shows_a_classs_images_evenly(counts, seed):
    facts = make_facts(counts)
    drawn = draw_by_class(facts, class_probability(facts.counts, 0), stream(seed, "x"))
    assert drawn.shape == facts.labels.shape
    times = np.bincount(drawn, minlength=len(facts.labels))
    for k in np.flatnonzero(facts.counts):
        of_class = times[facts.labels == k]
        assert of_class.max() - of_class.min() <= 1


def drawn_counts(name, facts, epoch, options=None):
    """How often each class is drawn over 60 seeds."""
    remedy = make_remedy(name, {name: options or {}})
    drawn = [remedy.draw(facts, epoch, stream(seed, "order", epoch)) for seed in range(60)]
    labels = facts.labels[np.concatenate([draw.indices for draw in drawn])]
    return np.bincount(labels, minlength=facts.num_classes)


@pytest.mark.parametrize(
    ("name", "epoch", "options", "expected"),
    [
        ("class_balanced_sampling", 0, {}, [1 / 3, 1 / 3, 1 / 3]),
        ("square_root_sampling", 0, {}, [20 / 32, 10 / 32, 2 / 32]),
        ("square_root_sampling", 3, {"q": 1.0}, [400 / 504, 100 / 504, 4 / 504]),
        ("progressively_balanced", 0, {}, [400 / 504, 100 / 504, 4 / 504]),
        ("progressively_balanced", 4, {}, [1 / 3, 1 / 3, 1 / 3]),
        ("progressively_balanced", 9, {}, [1 / 3, 1 / 3, 1 / 3]),  # beyond the last
        (
            "progressively_balanced", 1, {},
            [0.75 * n / 504 + 0.25 / 3 for n in (400, 100, 4)],
        ),
        ("deferred_resampling", 4, {}, [1 / 3, 1 / 3, 1 / 3]),
    ],
)  # fmt: skip
def test_classes_come_as_often_as_they_should(name, epoch, options, expected):
    counts = drawn_counts(name, make_facts([400, 100, 4, 0]), epoch, options)
    assert counts[3] == 0
    seen = counts[:3]
    assert chisquare(seen, np.array(expected) * seen.sum()).pvalue > 1e-3
    assert chisquare(seen, np.full(3, seen.sum() / 3)).pvalue < 1e-3 or expected[0] == 1 / 3


def test_progressively_balanced_sampling_arrives_in_the_last_epoch_of_two():
    facts = make_facts([400, 100, 4, 0], epochs=2)
    first, last = (drawn_counts("progressively_balanced", facts, epoch)[:3] for epoch in (0, 1))
    assert chisquare(first, np.array([400, 100, 4]) / 504 * first.sum()).pvalue > 1e-3
    assert chisquare(last).pvalue > 1e-3


@pytest.mark.parametrize(("epochs", "begins"), [(200, 160), (5, 4), (1, 0)])
def test_deferred_resampling_begins_after_four_fifths(epochs, begins):
    remedy, facts = make_remedy("deferred_resampling"), make_facts([40, 4], epochs)
    draws = [remedy.draw(facts, epoch, stream(0, "x")) for epoch in range(epochs)]
    assert [draw is not None for draw in draws] == [epoch >= begins for epoch in range(epochs)]


def test_undersampling_keeps_as_many_of_each_class_as_the_smallest_has():
    facts = make_facts([40, 10, 3, 0])
    draw = make_remedy("undersample").draw(facts, 0, stream(0, "order", 0))
    assert np.bincount(facts.labels[draw.indices], minlength=4).tolist() == [3, 3, 3, 0]
    assert len(set(draw.indices)) == 9


def test_undersampling_goes_down_to_a_single_image():
    draw = make_remedy("undersample").draw(FACTS, 0, stream(0, "order", 0))
    assert sorted(FACTS.labels[draw.indices]) == [0, 1, 2]


def test_undersampling_chooses_once_or_each_epoch_and_shuffles_always():
    facts = make_facts([40, 10, 3])

    def draws(fresh, **changes):
        remedy = make_remedy("undersample", {"undersample": {"fresh": fresh}})
        return [remedy.draw(facts, k, stream(0, "order", k)).indices.tolist() for k in range(2)]

    first, second = draws(fresh=False)
    assert sorted(first) == sorted(second)
    assert first != second
    first, second = draws(fresh=True)
    assert sorted(first) != sorted(second)


def test_what_undersampling_leaves_out_depends_on_the_runs_seed():
    remedy = make_remedy("undersample")
    kept = [
        set(remedy.draw(replace(FACTS, seed=seed), 0, stream(0, "x")).indices) for seed in range(4)
    ]
    assert kept[0] != kept[1] or kept[1] != kept[2] or kept[2] != kept[3]
