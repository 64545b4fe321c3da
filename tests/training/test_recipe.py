import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.errors import UserError
from unskew.training import recipe
from unskew.training.recipe import Recipe, make_recipe

recipes = st.builds(
    Recipe,
    data=st.text(min_size=1, max_size=20),
    model=st.sampled_from(["cnn", "lstm"]),
    epochs=st.integers(1, 300),
    learning_rate=st.floats(1e-6, 10),
    weight_decay=st.floats(0, 1),
    momentum=st.floats(0, 0.999),
    seed=st.integers(0, 2**31),
    skew=st.one_of(
        st.none(),
        st.just({"profile": "step", "classes": (0, 1), "keep": 0.1}),
        st.just({"profile": "exponential", "imbalance_ratio": 100.0}),
    ),
    max_steps=st.one_of(st.none(), st.integers(1, 100)),
    remedy_options=st.just({"focal": {"gamma": 2.0}}),
)


@given(recipes)
def test_toml_round_trip(recipe):
    back = Recipe.from_toml(recipe.to_toml())
    assert back == recipe
    assert back.digest == recipe.digest


def test_every_field_changes_the_digest():
    other = {
        "data": "cifar10", "fingerprint": "ab", "subset_seed": 1, "validation": 0.1,
        "skew": {"profile": "step", "classes": (0,), "keep": 0.5},
        "test_skew": {"profile": "step", "classes": (0,), "keep": 0.5},
        "augmentation": "none", "model": "lstm", "model_options": {"hidden": 8},
        "remedy": "focal", "remedy_options": {"focal": {"gamma": 1}}, "epochs": 6,
        "max_steps": 3, "batch_size": 50, "optimizer": "adamw", "learning_rate": 0.1,
        "momentum": 0.5, "nesterov": True, "weight_decay": 0.1, "decay": "weights",
        "schedule": "cosine", "warmup_epochs": 1, "milestones": (2,), "drop": 0.5,
        "label_smoothing": 0.1, "precision": "float32", "kernels": "off", "seed": 1,
        "alternate_flips": True,
        "drop_last": True, "filter_learning_rate": 0.1, "filter_momentum": 0.5,
        "bias_learning_rate": 0.1, "stem_epochs": 2, "decoupled_decay": True, "rise": 0.1,
        "rise_from": 0.1, "fall_to": 0.1, "test_views": "flip",
        "model_source": "ab", "remedy_sources": {"mine": "ab"},
    }  # fmt: skip
    needs = {
        "milestones": {"schedule": "step", "milestones": (3,)},
        "drop": {"schedule": "step", "milestones": (3,)},
        "remedy_sources": {"remedy": "mine"},
        "filter_learning_rate": {"optimizer": "muon"},
        "filter_momentum": {"optimizer": "muon"},
        "rise": {"schedule": "triangle"},
        "rise_from": {"schedule": "triangle", "rise": 0.3}, "fall_to": {"schedule": "triangle"},
    }  # fmt: skip
    assert set(other) == set(Recipe.model_fields)
    for field, value in other.items():
        without = Recipe().with_(**needs.get(field, {}))
        assert without.with_(**{field: value}).digest != without.digest, field


def test_the_source_of_a_remedy_counts_where_that_is_in_the_recipe():
    """So that a twin, which lacks some of the parts, is the same run whoever asks for it."""
    source = {"mine": "ab"}
    assert Recipe(remedy_sources=source).digest == Recipe().digest
    both = Recipe(remedy="mine+focal", remedy_sources=source)
    assert both.digest == both.with_(remedy_sources=source | {"other": "cd"}).digest
    assert both.digest != both.with_(remedy_sources={"mine": "cd"}).digest


def test_the_path_does_not_count_once_the_data_are_open():
    here = Recipe(data="/here/a.tar", fingerprint="abc")
    assert here.digest == Recipe(data="/there/b", fingerprint="abc").digest
    assert here.digest != Recipe(data="/here/a.tar", fingerprint="abd").digest


def test_run_id_is_readable_and_safe_as_a_folder_name():
    recipe = Recipe(
        skew={"profile": "step", "classes": (0, 1), "keep": 0.1},
        remedy="cutmix+balanced_softmax",
        weight_decay=1e-3,
        seed=4,
        validation=0.1,
    )
    assert recipe.run_id.startswith("cnn-")
    assert recipe.run_id.endswith(f"-cutmix_balanced_softmax-wd0.001-val-s4-{recipe.digest}")
    assert not set(recipe.run_id) & set("/\\+: ")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"weight_decay": -1e-3}, "weight_decay = -0.001"),
        ({"learning_rate": 0}, "learning_rate = 0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"batch_size": 1}, "batch_size = 1"),
        ({"epoch": 3}, "unknown setting 'epoch': did you mean 'epochs'\\?"),
        ({"zzz": 3}, "unknown setting 'zzz': check its spelling"),
        ({"schedule": "zigzag"}, "schedule = 'zigzag'"),
        ({"milestones": [2]}, "milestones only acts"),
        ({"schedule": "step"}, "needs milestones"),
        ({"schedule": "step", "milestones": [0, 3]}, "choose 1 or more"),
        ({"schedule": "step", "milestones": [-3]}, "milestones = .-3.: "),
        ({"drop": 0.5}, "drop only acts with schedule = 'step'"),
        ({"momentum": 0.5, "optimizer": "adamw"}, "momentum only acts"),
        ({"nesterov": True, "momentum": 0}, "nesterov only acts"),
        ({"nesterov": True, "optimizer": "adamw"}, "nesterov only acts"),
        ({"filter_learning_rate": 0.1}, "filter_learning_rate only acts"),
        ({"filter_momentum": 0.1}, "filter_momentum only acts"),
        ({"decoupled_decay": True, "optimizer": "adamw"}, "decoupled_decay only acts"),
        ({"rise": 0.1}, "rise only acts with schedule = 'triangle'"),
        ({"warmup_epochs": 1, "schedule": "one_cycle"}, "rises by itself"),
        ({"warmup_epochs": 1, "schedule": "triangle"}, "rises by itself"),
        ({"fall_to": 0.1}, "fall_to only acts"),
        ({"rise_from": 0.1, "schedule": "triangle"}, "rise_from only acts.*a rise above 0"),
        ({"alternate_flips": True, "augmentation": "none"}, "alternate_flips only acts"),
        ({"stem_epochs": 0}, "stem_epochs = 0"),
        ({"skew": {"profile": "stairs"}}, "skew"),
        (
            {"remedy_options": {"focal": {"gamma": math.nan}}},
            "^remedy_options.focal.gamma = nan: an option is a finite number",
        ),
        ({"model_options": {"width": None}}, "^model_options.width = None: an option is"),
        ({"model_options": {"width": [1, [2]]}}, "or a list of numbers"),
        ({"remedy_options": {"focal": 3}}, "remedy_options.focal = 3: "),
    ],
)
def test_bad_values_are_one_sentence_that_names_field_and_value(fields, words):
    with pytest.raises(UserError, match=words) as error:
        make_recipe(fields)
    assert "\n" not in str(error.value)


def test_a_milestone_beyond_the_last_epoch_is_let_be():
    assert Recipe(schedule="step", milestones=(82, 123), epochs=1).epochs == 1


def test_a_recipe_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"r\.toml: the recipe is no text in UTF-8: save"):
        Recipe.load(path)
    path.write_text("epochs = ")
    with pytest.raises(UserError, match=r"r\.toml.*not valid TOML"):
        Recipe.load(path)
    with pytest.raises(UserError, match="No such file"):
        Recipe.load(tmp_path / "none.toml")
    with pytest.raises(UserError, match=r"cannot read the recipe x+: File name too long"):
        Recipe.load("x" * 300)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a." * 1_000 + "b = 1", "a key has more than 100 parts: nest it less"),
        ("epochs = 0x" + "f" * 5000, "a number has more than 1,000 digits"),
        ("#" * 2**20 + "\n", "it has more than 1,048,576 characters"),
    ],
)
def test_a_recipe_file_that_no_person_writes_takes_no_memory(tmp_path, text, words):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"r\.toml: .*{words}"):
        Recipe.load(path)


@pytest.mark.parametrize("written", ['"', "a", "a.", "'a'.", "0x"])
def test_what_a_file_may_hold_is_looked_through_once(written):
    """A pattern that has tried in vain does not try from each letter again, which took hours."""
    filled = written * (10**6 // len(written))
    with pytest.raises(UserError):
        Recipe.from_toml("# " + filled.replace(".", ".\t ") + "\n=")


def test_a_remedy_that_was_revised_is_another_run(monkeypatch):
    """Whoever adds seeds to a study of an older version is not to mix the two."""
    plain, joined = Recipe(remedy="focal"), Recipe(remedy="cutmix+focal")
    before = plain.digest, joined.digest, Recipe().digest
    monkeypatch.setitem(recipe.REVISED, "focal", 2)
    assert plain.digest != before[0]
    assert joined.digest != before[1]
    assert Recipe().digest == before[2]
