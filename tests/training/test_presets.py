import pytest

from unskew.errors import UserError
from unskew.models.registry import names
from unskew.study.spec import Study
from unskew.training.presets import preset, preset_names
from unskew.training.recipe import Recipe, make_recipe


@pytest.mark.parametrize("name", preset_names())
def test_every_shipped_recipe_is_sound_and_no_setting_is_idle(name):
    recipe = Recipe.load(name)
    assert recipe.model in names()
    assert set(preset(name)) <= set(Recipe.model_fields)
    assert recipe == make_recipe({"base": name})


def test_the_shipped_recipes():
    assert preset_names() == ("coursework", "resnet32-usual", "strong")
    assert Recipe.load("coursework") == Recipe()
    shared = Study.load("coursework").recipe
    assert {field: preset("coursework")[field] for field in shared} == shared


def test_a_recipe_may_begin_from_a_shipped_one(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "strong"\nepochs = 10\n')
    found = Recipe.load(path, seed=3)
    assert found == Recipe.load("strong", epochs=10, seed=3)
    assert (found.epochs, found.seed, found.optimizer) == (10, 3, "muon")
    assert Recipe.from_toml(found.to_toml()) == found


def test_an_arm_of_a_study_may_begin_from_a_shipped_one():
    study = Study.from_toml(
        'name = "two"\n[recipe]\nepochs = 2\n'
        '[[arms]]\nname = "{base}"\ngrid = { base = ["strong", "coursework"] }\n',
        "two",
    )
    arms = study.expanded_arms()
    assert arms["strong"].recipe == Recipe.load("strong", epochs=2)
    assert arms["coursework"].recipe == Recipe(epochs=2)


def test_changes_win_over_a_files_own_settings(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("epochs = 4\nmomentum = 0.5\n")
    assert Recipe.load(path, momentum=0.0) == Recipe(epochs=4, momentum=0.0)
    with pytest.raises(UserError, match=r"r\.toml: momentum = 2"):
        Recipe.load(path, momentum=2)


def test_an_unknown_name_is_one_sentence():
    with pytest.raises(UserError, match="did you mean 'strong'"):
        Recipe.load("stong")
    with pytest.raises(UserError, match="known are coursework, resnet32-usual, strong"):
        make_recipe({"base": "zzz"})
