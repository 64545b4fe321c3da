"""Remedies that are each other, or nothing, at some setting: whole runs on random class sizes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.remedies.scene import Tiny, make_batch, make_facts, rehearse
from unskew.data.randomness import stream
from unskew.remedies.base import Remedy
from unskew.remedies.criterion import Criterion
from unskew.remedies.registry import make_remedy

few = settings(max_examples=15, deadline=None, derandomize=True)
counts = st.lists(st.integers(1, 30), min_size=2, max_size=4).filter(lambda found: sum(found) > 8)
even = st.tuples(st.integers(4, 20), st.integers(2, 4)).map(lambda both: [both[0]] * both[1])


def run(spec, sizes, **options):
    return rehearse(make_remedy(spec, {spec: options}), make_facts(sizes))


@few
@given(counts)
def test_remix_that_gives_no_label_away_is_mixup(sizes):
    assert torch.equal(run("remix", sizes, tau=0.0), run("mixup", sizes))


@few
@given(even)
def test_remix_of_even_classes_is_mixup(sizes):
    assert torch.equal(run("remix", sizes), run("mixup", sizes))


@few
@given(counts)
def test_sam_of_the_rare_where_all_are_rare_is_sam(sizes):
    alone = run("imbalanced_sam", sizes, eta=1000)
    torch.testing.assert_close(alone, run("sam", sizes))


@few
@given(even)
def test_sam_of_the_rare_where_none_is_rare_is_a_plain_step(sizes):
    plain = rehearse(Remedy(), make_facts(sizes))
    torch.testing.assert_close(run("imbalanced_sam", sizes), plain)


@few
@given(counts)
def test_a_length_that_no_class_reaches_is_no_bound(sizes):
    assert torch.equal(run("max_norm", sizes, delta=1e6), rehearse(Remedy(), make_facts(sizes)))


@few
@given(even, st.sampled_from(["oversample", "undersample", "oversample_augmented"]))
def test_even_classes_are_shown_as_they_are(sizes, name):
    facts = make_facts(sizes)
    draw = make_remedy(name).draw(facts, 0, stream(0, "order"))
    assert sorted(draw.indices.tolist()) == list(range(sum(sizes)))
    assert draw.copies is None or not draw.copies.any()


@few
@given(even, st.sampled_from(["inverse_frequency", "effective_number", "cost_sensitive", "drw"]))
def test_weights_of_even_classes_are_none(sizes, name):
    torch.testing.assert_close(run(name, sizes), rehearse(Remedy(), make_facts(sizes)))


@few
@given(counts, st.integers(0, 4), st.integers(0, 99))
def test_glmc_without_weights_is_cross_entropy_of_both_mixtures(sizes, epoch, seed):
    """Where its two classifiers are one, it does not matter which of them learns."""
    options = {"glmc": {"label_power": 0.0, "gamma": 0.0}}
    facts, remedy = make_facts(sizes), make_remedy("glmc", options)
    network, heads = Tiny(len(sizes)), remedy.auxiliary(facts)
    heads["classifier"].load_state_dict(network.classifier.state_dict())
    indices = torch.arange(6) % sum(sizes)
    batch = make_batch(indices, facts, remedy)
    batch = batch.with_(partners=make_batch(indices.flip(0), facts, remedy))
    batch = remedy.transform(batch, facts, stream(seed, "mixtures"))
    plain = Criterion(None, None)
    found, _ = remedy.objective(network, heads, batch, plain, facts, epoch)
    both = sum(plain(network(images), batch) for images in (batch.images, batch.views[0]))
    assert found.item() == pytest.approx(both.item(), rel=1e-5)
