import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from tests.remedies.posthoc.mixture import perfect_logits, sample
from tests.remedies.scene import make_facts
from unskew.data.randomness import stream
from unskew.remedies.base import HeldOut
from unskew.remedies.posthoc.temperature import fit_temperature
from unskew.remedies.registry import make_remedy

PRIOR = np.array([0.8, 0.15, 0.05])


def held_out(temperature, count=20_000):
    """Perfectly calibrated logits, multiplied by a temperature."""
    points, labels = sample(PRIOR, count, 0)
    return (perfect_logits(points, PRIOR) * temperature).numpy(), labels


@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
def test_it_recovers_the_temperature_that_calibrated_logits_were_multiplied_by(temperature):
    logits, labels = held_out(temperature)
    found = fit_temperature(logits, labels, np.ones(len(labels)))
    assert found == pytest.approx(temperature, rel=0.05)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_no_temperature_of_a_grid_is_better(seed):
    rng = stream(seed, "t")
    logits, labels = rng.normal(size=(30, 4)) * 3, rng.integers(0, 4, 30)
    weights = rng.uniform(0.1, 1, 30)

    def loss(temperature):
        return -(weights * log_softmax(logits / temperature, axis=1)[range(30), labels]).sum()

    found = fit_temperature(logits, labels, weights)
    assert loss(found) <= min(loss(t) for t in np.geomspace(0.01, 100, 400)) + 1e-6


def test_it_agrees_with_newtons_method_in_the_inverse_temperature():
    logits, labels = held_out(3.0, 500)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale], line_search_fn="strong_wolfe", max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            torch.from_numpy(logits) * scale, torch.from_numpy(labels)
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    found = fit_temperature(logits, labels, np.ones(500))
    assert found == pytest.approx(1 / scale.item(), rel=1e-3)


def test_where_all_is_right_or_wrong_it_stops_within_the_limits():
    logits, labels, ones = np.eye(3) * 2, np.arange(3), np.ones(3)
    assert 0.01 <= fit_temperature(logits, labels, ones) < 0.1
    assert fit_temperature(logits, (labels + 1) % 3, ones) == pytest.approx(100, rel=0.01)


def adjustment(logits, labels, **options):
    remedy = make_remedy("temperature_scaling", {"temperature_scaling": options})
    logits = torch.from_numpy(logits)
    facts = make_facts([80, 15, 5])
    return remedy.adjustment(facts, HeldOut(logits, logits, torch.from_numpy(labels)))


def test_predictions_stay_and_the_note_tells_the_temperature():
    logits, labels = held_out(4.0)
    found = adjustment(logits, labels)
    tensor = torch.from_numpy(logits)
    assert torch.equal(found(tensor).argmax(1), tensor.argmax(1))
    torch.testing.assert_close(found(tensor), tensor * found.scale[0])
    assert float(found.note.removeprefix("temperature ")) == pytest.approx(4, rel=0.05)


def test_balanced_fitting_counts_classes_alike():
    # Class 0 is certain and mostly right, class 1 certain and mostly wrong.
    logits = np.array([[3.0, 0, 0]] * 100 + [[3.0, 0, 0]] * 4 + [[0, 3.0, 0]] * 2)
    labels = np.array([0] * 100 + [1] * 6)
    by_image, by_class = adjustment(logits, labels), adjustment(logits, labels, balanced=True)
    assert by_class.scale[0] < by_image.scale[0]
    weights = np.where(labels == 0, 1 / 100, 1 / 6)
    wanted = fit_temperature(logits, labels, weights)
    assert 1 / by_class.scale[0].item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("balanced", [False, True])
def test_where_all_is_right_no_mistake_is_made_certain(balanced):
    logits, labels = np.eye(3)[[0, 1, 2, 2]] * 2, np.array([0, 1, 2, 2])
    found = adjustment(logits, labels, balanced=balanced)
    tensor = torch.from_numpy(logits)
    assert torch.equal(found(tensor), tensor)
    assert found.note == "temperature 1, not fitted: all 4 held-out images are classified right"


@pytest.mark.parametrize("row", [[0.0, 2.0, 1.0], [2.0, 2.0, 1.0]], ids=["wrong", "no more right"])
def test_one_image_that_is_not_right_is_enough_to_fit_to(row):
    logits = np.array([[2.0, 0, 0], [0, 2.0, 0], row])
    labels = np.array([0, 1, 0])
    found = adjustment(logits, labels)
    wanted = fit_temperature(logits, labels, np.ones(3))
    assert 1 / found.scale[0].item() == pytest.approx(wanted, rel=1e-5)
    assert found.note == f"temperature {wanted:.3g}"


def test_without_a_held_out_image_nothing_changes():
    nothing = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
    assert adjustment(*nothing) is None


def test_it_calibrates_before_a_correction_of_the_prior():
    logits, labels = held_out(4.0)
    points, _ = sample(np.full(3, 1 / 3), 200, 7)
    unlabelled = perfect_logits(points, PRIOR) * 4
    facts = make_facts([800, 150, 50])
    given_ = HeldOut(unlabelled, torch.from_numpy(logits), torch.from_numpy(labels))
    whole = make_remedy("temperature_scaling+posthoc_logit_adjustment").adjustment(facts, given_)
    ideal = perfect_logits(points, np.full(3, 1 / 3)).softmax(1)
    torch.testing.assert_close(whole(unlabelled).softmax(1), ideal, atol=0.02, rtol=0.1)
