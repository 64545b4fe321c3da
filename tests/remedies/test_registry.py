"""Remedies by name, and their options."""

from dataclasses import dataclass

import pytest

from unskew.errors import UserError
from unskew.remedies.base import Remedy
from unskew.remedies.compose import Composite
from unskew.remedies.options import option
from unskew.remedies.registry import description, make_remedy, names, remedy_class


@pytest.fixture(autouse=True)
def only_ours(monkeypatch):
    """Remedies that tests define are forgotten after the test."""
    names()
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))


def test_none_does_nothing():
    assert make_remedy("none") == Remedy()
    assert make_remedy("none").overrides() == frozenset()


def test_names_are_sorted_and_found_in_every_folder():
    assert list(names()) == sorted(names())
    assert {"balanced_softmax", "drw", "oversample"} <= set(names())


def test_names_are_joined_in_their_order_with_their_own_options():
    remedy = make_remedy("ldam+drw", {"ldam": {"s": 20}, "drw": {"start": 0.5}})
    assert isinstance(remedy, Composite)
    ldam, drw = remedy.parts
    assert (ldam.name, ldam.s, ldam.max_m) == ("ldam", 20.0, 0.5)
    assert (drw.name, drw.start) == ("drw", 0.5)


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("oversampel", {}, "did you mean 'oversample"),
        ("zzz", {}, "unknown remedy 'zzz': `unskew remedies list` shows what there is"),
        ("", {}, "unknown remedy ''"),
        ("focal+", {}, "unknown remedy ''"),
        ("oversample", {"focal": {"gamma": 1}}, "options are given for remedy 'focal'"),
        ("none", {"focal": {"gamma": 1}}, "options are given for remedy 'focal'"),
        ("focal", {"focal": {"angle": 1}}, "no option 'angle': its options are gamma"),
        ("ldam+drw", {"ldam": {"beta": 0.9}}, "no option 'beta': its options are max_m, s"),
        ("focal", {"focal": {"gamma": "a"}}, "gamma = 'a' should be of type float"),
        ("focal", {"focal": {"gamma": True}}, "gamma = True should be of type float"),
        ("focal", {"focal": {"gamma": -1}}, "gamma = -1.0, but it must be at least 0"),
        ("focal", {"focal": {"gamma": 1e39}}, r"gamma = 1e\+39, but it must be at most 1e\+30 in"),
        ("focal", {"focal": {"gamma": 10**400}}, r"0, but it must be at most 1e\+30 in size"),
        ("cost_sensitive", {"cost_sensitive": {"costs": [1, 10**400]}}, "numbers that are at most"),
        ("drw", {"drw": {"start": 1}}, "start = 1.0, but it must be at least 0 and below 1"),
        (
            "label_aware_smoothing",
            {"label_aware_smoothing": {"shape": "round"}},
            "shape = 'round', but it must be one of 'concave', 'linear', 'convex'",
        ),
        ("cost_sensitive", {"cost_sensitive": {"costs": [1, -2]}}, r"costs = \(1, -2\)"),
        (
            "cost_sensitive",
            {"cost_sensitive": {"costs": ["a"]}},
            r"\('a',\).* must be numbers that",
        ),
        ("cost_sensitive", {"cost_sensitive": {"costs": [1, True]}}, r"costs = \(1, True\)"),
    ],
)
def test_bad_requests_are_one_clear_sentence(spec, options, words):
    with pytest.raises(UserError, match=words):
        make_remedy(spec, options)


def test_whole_numbers_pass_for_fractions_and_lists_for_tuples():
    assert make_remedy("focal", {"focal": {"gamma": 3}}).gamma == 3.0
    costs = make_remedy("cost_sensitive", {"cost_sensitive": {"costs": [1, 2.5]}}).costs
    assert costs == (1, 2.5)


def test_a_remedy_of_ones_own_is_registered_by_being_defined():
    @dataclass(frozen=True)
    class Mine(Remedy):
        """A remedy
        of my own.

        More of it.
        """

        name = "mine"
        strength: float = option(1.0, at_most=3)

        def loss(self, facts, epoch):
            return lambda logits, labels: logits.sum(dim=1) * self.strength

    assert make_remedy("mine", {"mine": {"strength": 2}}).strength == 2.0
    assert remedy_class("mine") is Mine
    assert "mine" in names()
    assert description("mine") == "A remedy of my own."
    with pytest.raises(UserError, match=r"strength = 4.0, but it must be at most 3"):
        Mine(strength=4.0)


def test_a_tuple_of_ones_own_may_hold_words():
    @dataclass(frozen=True)
    class Worded(Remedy):
        parts: tuple[str, ...] = ("head", "tail")
        sides: tuple[str, ...] = option((), one_of=("left", "right"))

    assert Worded(parts=("tail",), sides=("left",)).parts == ("tail",)
    with pytest.raises(UserError, match="sides"):
        Worded(sides=("top",))


def test_a_remedy_may_check_more_than_ranges():
    @dataclass(frozen=True)
    class Picky(Remedy):
        """Refuses by itself."""

        name = "picky"
        low: float = 0.0
        high: float = 1.0

        def __post_init__(self):
            if self.low > self.high:
                raise ValueError("low is above high")

    with pytest.raises(UserError, match="remedy 'picky': low is above high"):
        make_remedy("picky", {"picky": {"low": 2.0}})
