"""What is said of a recipe before its data are opened."""

import pytest

from unskew.errors import UserError
from unskew.training.fitting import check_fits, check_recipe
from unskew.training.recipe import Recipe
from unskew.training.trainer import Trainer

DIVIDED = Recipe(remedy="mixup+weight_decay_by_layer")


def test_a_weight_decay_that_is_divided_is_asked_for():
    with pytest.raises(UserError, match="where weight decay acts, and weight_decay is 0"):
        check_recipe(DIVIDED)
    assert check_recipe(DIVIDED.with_(weight_decay=1e-3)).divides_decay


def test_a_stage_of_the_classifier_alone_has_no_layers_to_divide_a_weight_decay_among():
    """The second stage's own decay would be the same whatever the ratio."""
    both = DIVIDED.with_(remedy="weight_decay_by_layer+weight_balancing")
    with pytest.raises(UserError, match="weight_decay is 0"):
        check_recipe(both)
    assert check_recipe(both.with_(weight_decay=1e-3)).divides_decay


def test_an_end_of_the_stems_training_needs_a_stem(splits):
    check_fits(Recipe(model="whitened_cnn", stem_epochs=1, batch_size=20), splits)
    with pytest.raises(UserError, match="stem_epochs only acts with a whitening layer"):
        check_fits(Recipe(model="cnn", stem_epochs=1, batch_size=20), splits)


def test_from_python_an_end_of_the_stems_training_needs_a_stem_as_well(splits):
    with pytest.raises(UserError, match="stem_epochs only acts with a whitening layer"):
        Trainer(Recipe(model="lstm", stem_epochs=1, batch_size=20), splits)


def test_who_divides_the_weight_decay_leaves_no_other_rule_to_act():
    decaying = DIVIDED.with_(weight_decay=1e-3)
    with pytest.raises(UserError, match="decay = 'weights' does not act"):
        check_recipe(decaying.with_(decay="weights"))
    # An auxiliary network decays by the recipe's rule.
    check_recipe(decaying.with_(decay="weights", remedy="bcl+weight_decay_by_layer"))


def test_who_divides_the_weight_decay_wants_an_optimiser_that_has_one():
    with pytest.raises(UserError, match="choose 'sgd'"):
        check_recipe(DIVIDED.with_(weight_decay=1e-3, optimizer="muon"))
