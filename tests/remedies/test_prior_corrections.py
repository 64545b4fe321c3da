"""Which remedies correct for the class prior, so that no two of them act together."""

import pytest

from unskew.errors import UserError
from unskew.remedies.registry import make_remedy

CORRECT = [
    "class_balanced_sampling", "square_root_sampling", "progressively_balanced",
    "deferred_resampling", "undersample", "oversample", "oversample_augmented",
    "weight_balancing", "bcl", "glmc", "crt", "lws", "tau_normalised",
    "posthoc_logit_adjustment", "posthoc_em", "posthoc_bbse",
]  # fmt: skip
LEAVE = [
    "mixup", "cutmix", "remix", "weight_decay_by_layer", "max_norm", "l2_normalised", "sam",
    "imbalanced_sam", "temperature_scaling",
]  # fmt: skip


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize("spec", ["{}+logit_adjustment", "logit_adjustment+{}"])
def test_two_corrections_are_refused(name, spec):
    with pytest.raises(UserError, match="both"):
        make_remedy(spec.format(name))
    assert make_remedy(name).corrects_prior


@pytest.mark.parametrize("name", LEAVE)
def test_what_leaves_the_prior_alone_goes_with_a_correction(name):
    whole = make_remedy(f"{name}+logit_adjustment")
    assert whole.corrects_prior
    assert not make_remedy(name).corrects_prior
