import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.data.skew import (
    ExponentialSkew,
    StepSkew,
    describe_skew,
    kept_counts,
    parse_skew,
    skew_indices,
)
from unskew.data.split import stratified_split
from unskew.errors import UserError

FULL = np.full(10, 5000)


def test_the_courseworks_step_leaves_500_and_5000():
    skew = StepSkew(classes=(0, 1, 2, 3, 4), keep=0.1)
    assert kept_counts(skew, FULL).tolist() == [500] * 5 + [5000] * 5


def test_exponential_100_is_the_literatures():
    # Cao et al. 2019's imbalanced CIFAR-10: int(5000 * 0.01 ** (k / 9)).
    expected = [int(5000 * 0.01 ** (k / 9)) for k in range(10)]
    kept = kept_counts(ExponentialSkew(imbalance_ratio=100), FULL)
    assert kept.tolist()[:-1] == expected[:-1]
    assert kept[-1] == 50


skews = st.one_of(
    st.builds(
        StepSkew, classes=st.sets(st.integers(0, 4), min_size=1).map(tuple), keep=st.floats(0.01, 1)
    ),
    st.builds(ExponentialSkew, imbalance_ratio=st.floats(1, 1000)),
)


@given(skews, st.lists(st.integers(0, 4), min_size=5, max_size=300), st.integers(0, 99))
def test_indices_match_the_counts_and_lie_inside(skew, drawn, seed):
    labels = np.array(drawn, dtype=np.int64)
    kept = skew_indices(skew, labels, 5, seed)
    before = np.bincount(labels, minlength=5)
    assert np.bincount(labels[kept], minlength=5).tolist() == kept_counts(skew, before).tolist()
    assert (np.diff(kept) > 0).all()
    assert (skew_indices(skew, labels, 5, seed) == kept).all()


def test_a_harsher_skew_keeps_a_subset_and_another_seed_another_one():
    labels = np.repeat(np.arange(3), 100)
    mild = skew_indices(StepSkew(classes=(0,), keep=0.5), labels, 3, 0)
    harsh = skew_indices(StepSkew(classes=(0,), keep=0.1), labels, 3, 0)
    assert set(harsh) < set(mild)
    other = skew_indices(StepSkew(classes=(0,), keep=0.1), labels, 3, 1)
    assert set(harsh) != set(other)


@pytest.mark.parametrize(
    ("text", "skew", "slug"),
    [
        ("step:0-4:0.1", StepSkew(classes=(0, 1, 2, 3, 4), keep=0.1), "step-0to4-keep0.1"),
        ("step:0,2,7-8:0.5", StepSkew(classes=(0, 2, 7, 8), keep=0.5), "step-0_2_7to8-keep0.5"),
        ("step:3-3:0.5", StepSkew(classes=(3,), keep=0.5), "step-3-keep0.5"),
        ("exponential:100", ExponentialSkew(imbalance_ratio=100), "exponential-100"),
    ],
)
def test_as_written_on_the_command_line(text, skew, slug):
    assert parse_skew(text) == skew
    assert describe_skew(skew) == slug


@pytest.mark.parametrize(
    "text",
    [
        "",
        "step",
        "step:0-4",
        "step:a:0.1",
        "step:0:2",
        "step:0:nan",
        "exponential:0",
        "exponential:inf",
        "step:4-0,7:0.1",
        "step:0-9999999999:0.1",
        "step:" + ",".join(["0-99999"] * 3) + ":0.1",
    ],
)
def test_what_is_no_skew(text):
    with pytest.raises(UserError, match="is no skew: write step:CLASSES:KEEP"):
        parse_skew(text)


def test_a_class_that_is_not_there():
    with pytest.raises(UserError, match="names class 7, but the data have classes 0 to 2"):
        skew_indices(StepSkew(classes=(7,), keep=0.5), np.arange(3), 3, 0)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=300), st.floats(0.01, 0.99), st.integers(0, 9)
)
def test_a_stratified_split_divides_every_class_alike(drawn, share, seed):
    labels = np.array(drawn, dtype=np.int64)
    rest, apart = stratified_split(labels, share, seed, 5)
    assert sorted([*rest, *apart]) == list(range(len(labels)))
    for k in range(5):
        members, held = int((labels == k).sum()), int((labels[apart] == k).sum())
        if members > 1:
            assert 1 <= held < members
            assert abs(held - members * share) <= 1
        else:
            assert held == 0
