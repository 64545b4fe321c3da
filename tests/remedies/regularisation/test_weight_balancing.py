import numpy as np
import pytest
import torch

from tests.remedies.scene import make_facts
from unskew.data.skew import StepSkew
from unskew.errors import UserError
from unskew.remedies.registry import make_remedy
from unskew.remedies.regularisation.norms import class_norms
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

SKEW = StepSkew(profile="step", classes=(0, 1), keep=0.2)


def recipe(**changes):
    fields = {"remedy": "weight_balancing", "epochs": 3, "batch_size": 20, "skew": SKEW}
    return Recipe(**fields | {"weight_decay": 5e-3, "precision": "float32"} | changes)


def through_first_stage(wanted, splits):
    trainer = Trainer(wanted, splits)
    while trainer.state.position.stage == 0:
        for _ in trainer.epoch():
            pass
    return trainer


def test_stages_are_the_papers_share_of_the_run():
    first, second = make_remedy("weight_balancing").stages(200)
    assert (first.epochs, second.epochs) == (190, 10)
    assert first.weight_decay is None
    assert second.weight_decay == 0.1
    assert second.classifier_only
    assert not second.reset_classifier
    with pytest.raises(UserError, match=r"weight_balancing.*epochs is 1"):
        make_remedy("weight_balancing").stages(1)


def test_stage_one_is_plain_training_with_the_recipes_decay(splits):
    balanced = through_first_stage(recipe(), splits)
    plain = Trainer(recipe(remedy="none", epochs=2), splits)
    plain.fit()
    for name, value in plain.state.network.state_dict().items():
        assert torch.equal(value, balanced.state.network.state_dict()[name]), name


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.7])
def test_stage_two_bounds_the_norms_between_those_it_found(splits, threshold):
    options = {"weight_balancing": {"threshold": threshold}}
    trainer = through_first_stage(recipe(remedy_options=options), splits)
    network = trainer.state.network
    norms = class_norms(network).clone()
    frozen = {k: v.clone() for k, v in network.state_dict().items() if "classifier" not in k}
    bound = norms.min() + threshold * (norms.max() - norms.min())
    for _ in trainer.epoch():
        assert class_norms(network).max() <= bound + 1e-6
    torch.testing.assert_close(network.classifier.norm_bound, bound)
    assert not torch.equal(class_norms(network), norms)
    assert all(torch.equal(network.state_dict()[k], v) for k, v in frozen.items())


def test_classes_weigh_by_their_effective_number():
    facts = make_facts([5000, 500, 1, 0])
    balancing = make_remedy("weight_balancing").stages(200)[1].remedy
    weights = balancing.class_weights(facts, 199).numpy()
    effective = [(1 - 0.9999**n) / (1 - 0.9999) for n in (5000, 500, 1)]
    expected = 1 / np.array(effective)
    np.testing.assert_allclose(weights[:3], expected / expected.mean(), rtol=1e-5)
    assert weights[3] == 0


def test_decay_of_the_second_stage_acts(splits):
    def norms(decay):
        options = {"weight_balancing": {"classifier_decay": decay, "threshold": 1.0}}
        trainer = Trainer(recipe(remedy_options=options), splits)
        trainer.fit()
        return class_norms(trainer.state.network)

    assert (norms(1.0) < norms(0.0)).all()
