"""Losses and samplers in a training loop of one's own do what they do in the trainer."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

import unskew
from unskew.data.randomness import stream
from unskew.errors import UserError
from unskew.remedies.base import Facts
from unskew.remedies.registry import make_remedy, names

COUNTS = np.array([400, 90, 10])
LABELS = np.repeat(np.arange(3), COUNTS)


def batch(size=64):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(size, 3, generator=generator)
    return logits, torch.randint(3, (size,), generator=generator)


def kinds(hooks):
    """Remedies that act through these hooks and no other."""
    return [n for n in names() if (found := make_remedy(n).overrides()) and found <= hooks]


LOSSES, SAMPLERS = kinds({"loss", "class_weights"}), kinds({"draw"})


def test_what_there_is():
    assert {"focal", "balanced_softmax", "inverse_frequency", "drw"} <= set(LOSSES)
    assert {"class_balanced_sampling", "oversample", "undersample"} <= set(SAMPLERS)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_weighted_mean_of_the_remedys_losses(name):
    logits, labels = batch()
    facts, remedy = Facts(COUNTS, LABELS, 5, 64, 0), make_remedy(name)
    criterion = unskew.RemedyLoss(name, COUNTS, epochs=5)
    for epoch in (0, 4):
        criterion.set_epoch(epoch)
        example = remedy.loss(facts, epoch)
        losses = (
            F.cross_entropy(logits, labels, reduction="none")
            if example is None
            else example(logits, labels)
        )
        weights = remedy.class_weights(facts, epoch)
        weights = torch.ones(3) if weights is None else weights
        wanted = (weights[labels] * losses).sum() / weights[labels].sum()
        assert criterion(logits, labels).item() == pytest.approx(wanted.item(), rel=1e-6)


def test_a_loss_has_gradients_and_takes_half_precision():
    logits, labels = batch()
    logits = logits.bfloat16().requires_grad_()
    loss = unskew.RemedyLoss("effective_number+focal", COUNTS)(logits, labels)
    loss.backward()
    assert loss.dtype is torch.float32
    assert logits.grad.abs().sum() > 0


def test_options_and_epochs_act():
    logits, labels = batch()
    plain = F.cross_entropy(logits, labels).item()
    without = unskew.RemedyLoss("focal", COUNTS, options={"focal": {"gamma": 0.0}})
    assert without(logits, labels).item() == pytest.approx(plain)
    late = unskew.RemedyLoss("drw", COUNTS, epochs=10)
    assert late(logits, labels).item() == pytest.approx(plain)
    late.set_epoch(9)
    assert late(logits, labels).item() != pytest.approx(plain)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_draws_what_the_trainer_draws(name):
    facts = Facts(COUNTS, LABELS, 5, 64, seed=3)
    sampler = unskew.RemedySampler(name, LABELS, epochs=5, seed=3)
    for epoch in (0, 4):
        sampler.set_epoch(epoch)
        rng = stream(3, "order", epoch)
        draw = make_remedy(name).draw(facts, epoch, rng)
        wanted = rng.permutation(len(LABELS)) if draw is None else draw.indices
        assert list(sampler) == wanted.tolist()
        assert len(sampler) == len(wanted)


def test_the_seed_of_a_sampler_acts_where_images_are_left_out():
    drawn = [set(unskew.RemedySampler("undersample", LABELS, seed=seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


@pytest.mark.parametrize(
    "counts",
    [
        [0.9, 0.1],
        [5000.7, 0.4],
        [float("nan"), 1],
        [float("inf"), 5],
        [1e30, 5],
        [-1, 2],
        [],
        [0],
        [10**400, 1],
        [[1, 2], [3]],
    ],
)
def test_what_counts_no_images_is_refused(counts):
    with pytest.raises(UserError, match="counts must be images of each class"):
        unskew.RemedyLoss("balanced_softmax", counts)


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (torch.zeros(100, 3), torch.zeros(60), r"labels must be \(100,\), not \(60,\)"),
        (torch.zeros(10, 4), torch.zeros(10), r"held_out logits must be \(N, 3\)"),
        (torch.zeros(10, 3), torch.full((10,), 3), "must be 0 to 2: one of them names no class"),
        (torch.zeros(10, 3), torch.full((10,), -1), "must be 0 to 2"),
        (torch.zeros(10, 3), torch.full((10,), 0.5), "must be 0 to 2"),
    ],
)
def test_held_out_images_that_do_not_fit_are_refused(logits, labels, words):
    with pytest.raises(UserError, match=words):
        unskew.adjust_logits(
            "temperature_scaling", torch.zeros(5, 3), COUNTS, held_out=(logits, labels)
        )


def test_logits_of_a_network_that_still_trains_are_adjusted():
    logits, _ = batch()
    for remedy in ("posthoc_em", "posthoc_logit_adjustment"):
        wanted = unskew.adjust_logits(remedy, logits.detach(), COUNTS)
        found = unskew.adjust_logits(remedy, logits.detach().requires_grad_(), COUNTS)
        assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, -1],
        [0.0, 0.5],
        [0, float("nan")],
        [0, float("inf")],
        [0, 1e15],
        ["cat", "dog"],
        [[0, 1]],
        [[0, 1], [2]],
    ],
)
def test_what_are_no_labels_are_refused(labels):
    with pytest.raises(UserError, match="labels must be classes, whole numbers"):
        unskew.RemedySampler("oversample", labels)


def test_a_sampler_serves_a_data_loader():
    data = TensorDataset(torch.arange(len(LABELS)), torch.from_numpy(LABELS))
    sampler = unskew.RemedySampler("class_balanced_sampling", LABELS)
    loader = DataLoader(data, batch_size=50, sampler=sampler)
    shown = torch.cat([labels for _, labels in loader]).bincount(minlength=3)
    assert shown.sum() == len(LABELS)
    assert shown.min() > 0.25 * len(LABELS)


def test_adjusted_logits_are_those_of_the_formula():
    logits, _ = batch()
    wanted = logits - torch.from_numpy(np.log(COUNTS / COUNTS.sum())).float()
    found = unskew.adjust_logits("posthoc_logit_adjustment", logits, COUNTS)
    assert torch.allclose(found.softmax(dim=1), wanted.softmax(dim=1), atol=1e-6)
    half = unskew.adjust_logits(
        "posthoc_logit_adjustment", logits.numpy(), COUNTS,
        options={"posthoc_logit_adjustment": {"tau": 0.0}},
    )  # fmt: skip
    assert torch.equal(half, logits)


def test_what_is_fitted_takes_held_out_images():
    logits, labels = batch()
    wide = 5 * F.one_hot(labels, 3) + logits
    cooler = unskew.adjust_logits("temperature_scaling", wide, COUNTS, held_out=(logits, labels))
    assert torch.equal(cooler.argmax(dim=1), wide.argmax(dim=1))
    assert cooler.abs().sum() < wide.abs().sum()
    with pytest.raises(UserError, match="held_out"):
        unskew.adjust_logits("temperature_scaling", wide, COUNTS)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: unskew.RemedyLoss("cutmix", COUNTS), "'cutmix' acts through .*transform"),
        (lambda: unskew.RemedyLoss("ldam", COUNTS), "no loss by itself: use unskew.Trainer"),
        (lambda: unskew.RemedyLoss("oversample", COUNTS), "acts through draw"),
        (lambda: unskew.RemedyLoss("none", COUNTS), "does nothing"),
        (lambda: unskew.RemedyLoss("focl", COUNTS), "did you mean 'focal'"),
        (lambda: unskew.RemedyLoss("focal", [[1, 2]]), "images of each class"),
        (lambda: unskew.RemedyLoss("focal", [0, 0]), "images of each class"),
        (lambda: unskew.RemedyLoss("focal", [3, -1]), "images of each class"),
        (lambda: unskew.RemedySampler("focal", LABELS), "no sampler by itself"),
        (lambda: unskew.RemedySampler("oversample_augmented", LABELS), "acts through transform"),
        (lambda: unskew.RemedySampler("oversample", []), "labels must be classes"),
        (lambda: unskew.adjust_logits("focal", torch.zeros(2, 3), COUNTS), "no adjustment"),
        (
            lambda: unskew.adjust_logits("posthoc_em", torch.zeros(2, 4), COUNTS),
            r"logits must be \(N, 3\)",
        ),
    ],
)
def test_what_takes_more_than_a_loss_or_a_draw_is_refused(make, words):
    with pytest.raises(UserError, match=words):
        make()


@pytest.mark.parametrize("remedy", ["balanced_softmax", "vector_scaling", "inverse_frequency"])
def test_a_loss_that_was_first_asked_in_inference_mode_can_be_learnt_from(remedy):
    criterion = unskew.RemedyLoss(remedy, counts=[500, 50, 5])
    labels = torch.tensor([0, 1, 2])
    with torch.inference_mode():
        criterion(torch.zeros(3, 3), labels)
    logits = torch.zeros(3, 3, requires_grad=True)
    criterion(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("copied", [lambda c: pickle.loads(pickle.dumps(c)), copy.deepcopy])
def test_a_loss_can_be_sent_to_another_process_and_stays_in_its_epoch(name, copied):
    criterion = unskew.RemedyLoss(name, COUNTS, epochs=5)
    criterion.set_epoch(4)  # what sets in late has
    logits, labels = batch()
    first = criterion(logits, labels)
    again = copied(criterion)
    assert torch.equal(again(logits, labels), first)
    criterion.set_epoch(0)
    again.set_epoch(0)
    assert torch.equal(again(logits, labels), criterion(logits, labels))


@pytest.mark.parametrize(
    ("remedy", "make"),
    [
        ("drw", lambda spec, **how: unskew.RemedyLoss(spec, COUNTS, **how)),
        ("focal+drw", lambda spec, **how: unskew.RemedyLoss(spec, COUNTS, **how)),
        ("progressively_balanced", lambda spec, **how: unskew.RemedySampler(spec, LABELS, **how)),
        ("deferred_resampling", lambda spec, **how: unskew.RemedySampler(spec, LABELS, **how)),
    ],
)
def test_what_sets_in_late_must_be_told_how_long_the_training_is(remedy, make):
    """Taken for one epoch long, it would set in at once."""
    with pytest.raises(UserError, match=rf"'{re.escape(remedy)}' changes in the course .* epochs="):
        make(remedy)
    with pytest.raises(UserError, match="epochs = 0: a training has 1 or more"):
        make(remedy, epochs=0)
    make(remedy, epochs=10).set_epoch(9)


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64), r"logits must be \(B, 3\)"),
        (torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64), r"whole numbers \(2,\)"),
        (torch.zeros(2, 3), torch.zeros(2), "whole numbers"),
        (torch.zeros(2, 3), torch.ones(2, dtype=torch.bool), "whole numbers"),
        (torch.zeros(2, 3), torch.tensor([1, -100]), "0 to 2, and one is -100"),
        (torch.zeros(2, 3), torch.tensor([1, 3]), "0 to 2, and one is 3"),
    ],
)
@pytest.mark.parametrize("remedy", ["inverse_frequency", "balanced_softmax"])
def test_what_no_loss_can_be_taken_of_is_refused(remedy, logits, labels, words):
    with pytest.raises(UserError, match=words):
        unskew.RemedyLoss(remedy, COUNTS)(logits, labels)


def test_labels_of_a_byte_are_no_masks():
    criterion = unskew.RemedyLoss("inverse_frequency", COUNTS)
    logits, labels = torch.randn(3, 3), torch.tensor([1, 1, 1])
    assert torch.equal(criterion(logits, labels.to(torch.uint8)), criterion(logits, labels))


def test_logits_that_are_not_finite_or_none_at_all_are_refused():
    broken = torch.zeros(3, 3)
    broken[1, 1] = float("nan")
    for remedy in ("posthoc_em", "posthoc_logit_adjustment"):
        with pytest.raises(UserError, match="logits must be finite"):
            unskew.adjust_logits(remedy, broken, COUNTS)
        with pytest.raises(UserError, match="with one row at least"):
            unskew.adjust_logits(remedy, torch.zeros(0, 3), COUNTS)


def test_smoothing_into_no_other_class_is_refused():
    with pytest.raises(UserError, match="of which there are none"):
        unskew.RemedyLoss("label_aware_smoothing", [5])
