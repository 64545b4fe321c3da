import numpy as np
import pytest
import torch

from tests.remedies.scene import FACTS, Tiny, make_batch, make_facts
from unskew.data.randomness import stream
from unskew.errors import UserError
from unskew.remedies.criterion import Criterion
from unskew.remedies.registry import make_remedy
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

OWN, OTHERS = torch.tensor([0, 1, 2, 40, 41, 50]), torch.tensor([50, 3, 42, 50, 4, 5])


def scene(**options):
    remedy = make_remedy("glmc", {"glmc": options})
    torch.manual_seed(0)
    network, heads = Tiny(4), remedy.auxiliary(FACTS)
    batch = make_batch(OWN, FACTS, remedy).with_(partners=make_batch(OTHERS, FACTS, remedy))
    return remedy, network, heads, batch


def test_both_mixtures_share_one_lambda_and_the_partners_labels():
    remedy, _, _, batch = scene()
    for seed in range(20):
        changed = remedy.transform(batch, FACTS, stream(seed, "t"))
        lam = stream(seed, "t").beta(1, 1)
        assert changed.share.tolist() == pytest.approx([lam] * 6)
        assert torch.equal(changed.other_labels, batch.partners.labels)
        blended = lam * batch.images + (1 - lam) * batch.partners.images
        torch.testing.assert_close(changed.images, blended)
        own, other = batch.views[0], batch.partners.views[0]
        patched = changed.views[0]
        assert ((patched == own) | (patched == other)).all()


def cross_entropies(logits, labels):
    logits = logits.detach().double().numpy()
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), labels.numpy()]


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("epoch", [0, 2, 4])
def test_the_objective_is_the_papers_sum(epoch):
    remedy, network, heads, batch = scene(gamma=3.0, label_power=0.5)
    batch = remedy.transform(batch, FACTS, stream(3, "t"))
    total, logits = remedy.objective(network, heads, batch, Criterion(None, None), FACTS, epoch)
    torch.testing.assert_close(logits, network(batch.images))

    weights = np.array([40, 10, 1, 1]) ** -0.5
    weights[3] = 0
    weights *= 3 / weights.sum()
    share = batch.share.double().numpy()
    plain = weighted = 0.0
    projected, predicted = [], []
    with torch.no_grad():
        for images in (batch.images, batch.views[0]):
            features = network.features(images)
            for labels, part in ((batch.labels, share), (batch.other_labels, 1 - share)):
                plain += (part * cross_entropies(heads["classifier"](features), labels)).mean()
                losses = cross_entropies(network.classifier(features), labels)
                weighted += (weights[labels.numpy()] * part * losses).mean()
            projected.append(heads["projection"](features))
            predicted.append(heads["prediction"](projected[-1]).double().numpy())
    projected = [z.double().numpy() for z in projected]
    apart = -(cosines(predicted[0], projected[1]) + cosines(predicted[1], projected[0])).mean()
    alpha = 1 - (epoch / 5) ** 2
    expected = alpha * plain + (1 - alpha) * weighted + 3.0 * apart
    assert total.item() == pytest.approx(expected, rel=1e-5)


def test_consistency_teaches_the_prediction_and_not_its_target():
    remedy, network, heads, batch = scene(label_power=0.0)
    batch = remedy.transform(batch, FACTS, stream(3, "t"))
    with torch.no_grad():
        heads["classifier"].weight.zero_()
        heads["classifier"].bias.zero_()
    # With the prediction head at zero slope the projection could only learn as a target.
    heads["prediction"].weight.data.zero_()
    remedy.objective(network, heads, batch, Criterion(None, None), FACTS, 0)[0].backward()
    assert not heads["projection"].weight.grad.any()
    assert heads["prediction"].bias.grad.any()


def test_in_the_first_epoch_the_networks_classifier_waits():
    remedy, network, heads, batch = scene()
    batch = remedy.transform(batch, FACTS, stream(3, "t"))
    for epoch, learns in ((0, False), (1, True)):
        network.zero_grad()
        remedy.objective(network, heads, batch, Criterion(None, None), FACTS, epoch)[0].backward()
        assert bool(network.classifier.weight.grad.any()) is learns
    with pytest.raises(UserError, match="epochs is 1: choose 2 or more"):
        remedy.check(make_facts([5, 5], epochs=1))


@pytest.mark.parametrize(("power", "expected"), [(0.0, [400, 40]), (0.5, [20, 6.32]), (1, [1, 1])])
def test_partners_are_drawn_by_class_and_own_images_are_all_shown(power, expected):
    facts = make_facts([400, 40])
    remedy = make_remedy("glmc", {"glmc": {"sample_power": float(power)}})
    counts = np.zeros(2)
    for seed in range(20):
        draw = remedy.draw(facts, 0, stream(seed, "order"))
        assert sorted(draw.indices) == list(range(440))
        counts += np.bincount(facts.labels[draw.partners], minlength=2)
    assert counts[1] / counts.sum() == pytest.approx(expected[1] / sum(expected), abs=0.02)


def test_the_trainer_hands_partners_over_with_views_of_their_own(splits, monkeypatch):
    batches = []
    remedy = make_remedy("glmc")

    class Spy(type(remedy)):
        name = ""

        def transform(self, batch, facts, rng):
            batches.append(batch)
            return super().transform(batch, facts, rng)

    monkeypatch.setattr("unskew.training.fitting.make_remedy", lambda *_: Spy())
    trainer = Trainer(Recipe(epochs=2, batch_size=40, augmentation="flip_crop"), splits)
    drawn = Spy().draw(trainer.facts, 0, stream(0, "order", 0))
    next(trainer.epoch())
    (batch,) = batches
    assert batch.indices.tolist() == drawn.indices[:40].tolist()
    assert batch.partners.indices.tolist() == drawn.partners[:40].tolist()
    assert batch.partners.labels.tolist() == trainer.facts.labels[drawn.partners[:40]].tolist()
    own = trainer.train_batches.images(batch.indices)
    partners = trainer.train_batches.images(batch.partners.indices)
    assert len(batch.views) == len(batch.partners.views) == 1
    for augmented, plain in (
        (batch.images, own), (batch.views[0], own),
        (batch.partners.images, partners), (batch.partners.views[0], partners),
    ):  # fmt: skip
        # Shifting and flipping keep most of an image's values.
        assert torch.isclose(augmented.amax((2, 3)), plain.amax((2, 3))).float().mean() > 0.5
        assert not torch.equal(augmented, plain)
    assert not torch.equal(batch.images, batch.views[0])
    assert not torch.equal(batch.partners.images, batch.partners.views[0])
