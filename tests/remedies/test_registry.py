"""Names, options and what goes together; then every remedy through one common suite."""

from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch

from unskew.data.randomness import stream
from unskew.errors import UserError
from unskew.remedies.base import Adjustment, Batch, Facts, HeldOut, Remedy
from unskew.remedies.compose import Composite, compose
from unskew.remedies.registry import description, make_remedy, names, remedy_class

COUNTS = np.array([40, 10, 1, 0])
LABELS = np.repeat(np.arange(4), COUNTS).astype(np.int64)
FACTS = Facts(COUNTS, LABELS, epochs=5, batch_size=8, seed=0, num_features=6)


@pytest.fixture(autouse=True)
def only_ours(monkeypatch):
    """Remedies that tests define are forgotten after the test."""
    names()
    monkeypatch.setattr(Remedy, "known", dict(Remedy.known))


def test_none_does_nothing():
    assert make_remedy("none") == Remedy()
    assert make_remedy("none").overrides() == frozenset()


@pytest.mark.parametrize("name", names())
def test_every_remedy_describes_itself_and_is_what_its_options_say(name):
    assert description(name)
    assert isinstance(make_remedy(name), remedy_class(name))
    assert make_remedy(name).overrides()
    for option in fields(remedy_class(name)):
        assert make_remedy(name, {name: {option.name: option.default}}) == make_remedy(name)


@pytest.mark.parametrize("name", names())
def test_every_draw_is_valid_and_follows_from_the_generator_alone(name):
    remedy = make_remedy(name)
    first = remedy.draw(FACTS, 1, stream(0, "order", 1))
    again = remedy.draw(FACTS, 1, stream(0, "order", 1))
    if first is None:
        assert again is None
        return
    assert first.indices.dtype == np.int64
    assert (first.indices == again.indices).all()
    assert first.indices.min() >= 0
    assert first.indices.max() < len(LABELS)
    other = remedy.draw(FACTS, 1, stream(1, "order", 1))
    assert len(other.indices) != len(first.indices) or (other.indices != first.indices).any()


@pytest.mark.parametrize("name", names())
def test_every_transform_keeps_shapes_and_leaves_its_input_alone(name):
    images = torch.randn(8, 3, 16, 16).to(memory_format=torch.channels_last)
    before = images.clone()
    batch = Batch(images, torch.arange(8) % 3, torch.arange(8), copies=torch.arange(8) % 2 == 0)
    changed = make_remedy(name).transform(batch, FACTS, stream(0, "t", 0))
    again = make_remedy(name).transform(batch, FACTS, stream(0, "t", 0))
    assert changed.images.shape == images.shape
    assert changed.images.isfinite().all()
    assert torch.equal(changed.images, again.images)
    assert torch.equal(images, before)


def test_oversampling_fills_every_class_and_flags_the_copies():
    draw = make_remedy("oversample_augmented").draw(FACTS, 0, stream(0, "order", 0))
    drawn = LABELS[draw.indices]
    assert np.bincount(drawn, minlength=4).tolist() == [40, 40, 40, 0]
    originals = draw.indices[~draw.copies]
    assert sorted(originals) == list(range(len(LABELS)))
    times = np.bincount(draw.indices[drawn == 1], minlength=50)[40:50]
    assert times.max() - times.min() <= 1


def test_augmented_oversampling_changes_copies_only_and_every_option_acts():
    images = torch.randn(8, 3, 16, 16).to(memory_format=torch.channels_last)
    copies = torch.arange(8) >= 4
    batch = Batch(images, torch.zeros(8, dtype=torch.int64), torch.arange(8), copies=copies)

    def transformed(**options):
        remedy = make_remedy("oversample_augmented", {"oversample_augmented": options})
        return remedy.transform(batch, FACTS, stream(0, "t", 0)).images

    changed = transformed()
    assert torch.equal(changed[~copies], images[~copies])
    assert all(not torch.equal(changed[k], images[k]) for k in range(4, 8))
    for option in ({"degrees": 0.0}, {"noise": 0.0}):
        assert not torch.equal(transformed(**option), changed)


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("oversampel", {}, "did you mean 'oversample"),
        ("zzz", {}, "known are"),
        ("oversample", {"focal": {"gamma": 1}}, "options are given for remedy 'focal'"),
        ("oversample_augmented", {"oversample_augmented": {"angle": 1}}, "no option 'angle'"),
        ("oversample_augmented", {"oversample_augmented": {"noise": "a"}}, "noise = 'a'"),
        ("oversample+oversample", {}, "named twice"),
        ("oversample+oversample_augmented", {}, "both decide which images an epoch shows"),
    ],
)
def test_bad_requests_are_one_clear_sentence(spec, options, words):
    with pytest.raises(UserError, match=words):
        make_remedy(spec, options)


@dataclass(frozen=True)
class Doubles(Remedy):
    def loss(self, facts, epoch):
        return lambda logits, labels: 2 * torch.ones(len(labels))

    def adjustment(self, facts, held_out):
        return Adjustment(torch.full((2,), 2.0), torch.tensor([1.0, 0.0]), "doubled")


@dataclass(frozen=True)
class Shifts(Remedy):
    def after_training(self, network, facts):
        network.append("shifted")

    def adjustment(self, facts, held_out):
        return Adjustment(torch.ones(2), held_out.unlabelled.mean(dim=0), "shifted")


@dataclass(frozen=True)
class Marks(Remedy):
    def after_training(self, network, facts):
        network.append("marked")


def test_parts_fill_their_own_hooks_and_follow_one_another():
    whole = compose([Doubles(), Shifts(), Marks()])
    assert isinstance(whole, Composite)
    assert whole.overrides() == {"loss", "adjustment", "after_training"}
    assert whole.loss(FACTS, 0)(torch.zeros(3, 2), torch.zeros(3)).tolist() == [2, 2, 2]
    log = []
    whole.after_training(log, FACTS)
    assert log == ["shifted", "marked"]
    assert whole.draw(FACTS, 0, stream(0, "x")) is None


def test_adjustments_follow_one_another_each_on_what_the_last_has_left():
    logits = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    whole = compose([Doubles(), Shifts()]).adjustment(FACTS, HeldOut(logits))
    first = logits * 2 + torch.tensor([1.0, 0.0])
    torch.testing.assert_close(whole(logits), first + first.mean(dim=0))
    assert whole.note == "doubled; shifted"


def test_a_remedy_of_ones_own_is_registered_by_being_defined():
    @dataclass(frozen=True)
    class Mine(Remedy):
        """A remedy of my own."""

        name = "mine"
        strength: float = 1.0

        def loss(self, facts, epoch):
            return lambda logits, labels: logits.sum(dim=1) * self.strength

    assert make_remedy("mine", {"mine": {"strength": 2}}).strength == 2.0
    assert "mine" in names()
