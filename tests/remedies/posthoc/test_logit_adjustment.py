import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.remedies.posthoc.mixture import perfect_logits, sample
from tests.remedies.scene import make_facts
from unskew.errors import UserError
from unskew.remedies.base import HeldOut
from unskew.remedies.registry import make_remedy

COUNTS = np.array([800, 150, 50])
FACTS = make_facts(COUNTS)
PRIOR = COUNTS / 1000

some_counts = st.lists(st.integers(1, 5000), min_size=3, max_size=3)


def adjusted(logits, facts=FACTS, **options):
    remedy = make_remedy("posthoc_logit_adjustment", {"posthoc_logit_adjustment": options})
    return remedy.adjustment(facts, HeldOut(logits))(logits)


@pytest.mark.parametrize("target", [(), (0.2, 0.3, 0.5), (8.0, 1.5, 0.5)])
def test_it_turns_one_priors_posterior_into_anothers(target):
    points, _ = sample(PRIOR, 50, 0)
    found = adjusted(perfect_logits(points, PRIOR), target=target).softmax(1)
    wanted = np.array(target or (1, 1, 1)) / sum(target or (1, 1, 1))
    torch.testing.assert_close(
        found, perfect_logits(points, wanted).softmax(1), rtol=1e-5, atol=1e-6
    )


@given(some_counts, st.floats(0, 3))
def test_the_shift_is_the_formulas(counts, tau):
    logits = torch.zeros(1, 3, dtype=torch.float64)
    shift = adjusted(logits, make_facts(counts), tau=tau)[0].numpy()
    prior = np.array(counts) / sum(counts)
    np.testing.assert_allclose(shift, tau * (np.log(1 / 3) - np.log(prior)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rare", [1e-9, 1e-200])
def test_a_target_is_taken_at_its_word_however_small(rare):
    logits = torch.zeros(1, 3, dtype=torch.float64)
    shift = adjusted(logits, target=(1.0, 1.0, rare))[0].numpy()
    wanted = np.log([0.5, 0.5, rare / 2]) - np.log(PRIOR)
    np.testing.assert_allclose(shift, wanted, rtol=1e-5)
    assert np.isfinite(adjusted(logits, target=(1.0, 1.0, 5e-324)).numpy()).all()


@given(some_counts)
def test_nothing_changes_at_tau_zero_or_where_the_target_is_the_training_prior(counts):
    logits = torch.randn(4, 3)
    facts = make_facts(counts)
    torch.testing.assert_close(adjusted(logits, facts, tau=0.0), logits)
    same = adjusted(logits, facts, target=tuple(float(n) for n in counts))
    torch.testing.assert_close(same, logits)


def test_it_gains_balanced_accuracy_on_a_balanced_test():
    points, labels = sample(np.full(3, 1 / 3), 6000, 1)
    logits = perfect_logits(points, PRIOR)

    def accuracy(logits):
        return (logits.argmax(1).numpy() == labels).mean()

    best = accuracy(perfect_logits(points, np.full(3, 1 / 3)))
    assert accuracy(logits) < best - 0.1
    assert accuracy(adjusted(logits)) == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("counts", [[40, 10, 0], [0, 0, 7], [1, 1000, 0]])
def test_a_class_without_images_is_not_favoured_over_any_other(counts):
    shift = adjusted(torch.zeros(1, 3), make_facts(counts))[0]
    assert shift.isfinite().all()
    unseen = torch.tensor(counts) == 0
    assert (shift[unseen] <= shift[~unseen].min()).all()


def test_a_target_of_the_wrong_length_is_refused_before_training():
    options = {"posthoc_logit_adjustment": {"target": [0.5, 0.5]}}
    with pytest.raises(UserError, match="target has 2 numbers and there are 3 classes"):
        make_remedy("posthoc_logit_adjustment", options).check(FACTS)
    make_remedy("posthoc_logit_adjustment").check(FACTS)
