"""Runs whose training another run has already done."""

import pytest

from unskew.data.skew import StepSkew
from unskew.errors import UserError
from unskew.training.history import History
from unskew.training.outcome import DIVERGED, load_evaluation
from unskew.training.recipe import Recipe
from unskew.training.run import execute
from unskew.training.twin import training_twin

SKEWED = Recipe(epochs=2, batch_size=20, skew=StepSkew(classes=(0, 1), keep=0.2))


def test_only_what_acts_after_training_has_a_twin():
    plain = Recipe()
    for remedy in ("posthoc_logit_adjustment", "posthoc_em", "tau_normalised"):
        assert training_twin(plain.with_(remedy=remedy)) == plain
    mixed = plain.with_(remedy="cutmix+posthoc_em")
    assert training_twin(mixed) == plain.with_(remedy="cutmix")
    for remedy in ("none", "cutmix", "ldam", "weight_balancing", "crt"):
        assert training_twin(plain.with_(remedy=remedy)) is None


def test_a_remedy_that_holds_images_out_trains_on_fewer_and_has_none():
    for remedy in ("posthoc_bbse", "temperature_scaling"):
        assert training_twin(Recipe(remedy=remedy)) is None


def test_options_go_with_their_part():
    options = {"mixup": {"alpha": 0.5}, "posthoc_logit_adjustment": {"tau": 2.0}}
    both = Recipe(remedy="mixup+posthoc_logit_adjustment", remedy_options=options)
    assert training_twin(both) == Recipe(remedy="mixup", remedy_options={"mixup": {"alpha": 0.5}})


def test_taking_over_a_twins_training_gives_what_training_would(splits, tmp_path):
    execute(SKEWED, splits, tmp_path / "plain")
    for remedy in ("posthoc_logit_adjustment", "tau_normalised"):
        recipe = SKEWED.with_(remedy=remedy)
        own = execute(recipe, splits, tmp_path / f"{remedy}-own")
        taken = execute(recipe, splits, tmp_path / remedy, twin=tmp_path / "plain")
        assert own.trained_by == ""
        assert taken.trained_by == SKEWED.run_id
        for name in ("logits.safetensors", "model.safetensors", "losses.csv", "evaluation.json"):
            ours = (tmp_path / f"{remedy}-own" / name).read_bytes()
            assert ours == (tmp_path / remedy / name).read_bytes()
        plain = load_evaluation(tmp_path / "plain")
        assert load_evaluation(tmp_path / remedy).nll != plain.nll


def test_a_twin_that_is_not_over_is_not_waited_for(splits, tmp_path):
    recipe = SKEWED.with_(remedy="posthoc_em")
    outcome = execute(recipe, splits, tmp_path / "own", twin=tmp_path / "nothing here")
    assert outcome.trained_by == ""
    assert len(History.load(tmp_path / "own").epochs) == 2


def test_what_is_no_twin_is_not_taken_over(splits, tmp_path):
    execute(SKEWED.with_(seed=1), splits, tmp_path / "other")
    recipe = SKEWED.with_(remedy="posthoc_em")
    with pytest.raises(UserError, match=rf"other holds the run .* that of '{SKEWED.run_id}'"):
        execute(recipe, splits, tmp_path / "own", twin=tmp_path / "other")
    with pytest.raises(UserError, match="has a training of its own: leave twin out"):
        execute(SKEWED, splits, tmp_path / "own", twin=tmp_path / "other")
    assert not (tmp_path / "own").exists()


def test_a_diverged_twin_has_diverged_for_both(splits, tmp_path):
    wild = SKEWED.with_(learning_rate=1e20)
    assert execute(wild, splits, tmp_path / "plain").outcome == DIVERGED
    recipe = wild.with_(remedy="posthoc_em")
    taken = execute(recipe, splits, tmp_path / "em", twin=tmp_path / "plain")
    assert (taken.outcome, taken.trained_by) == (DIVERGED, wild.run_id)
    assert not (tmp_path / "em" / "evaluation.json").exists()
