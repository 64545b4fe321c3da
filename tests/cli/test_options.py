import pytest

from unskew.cli.options import (
    FILLED_IN,
    parse_nested_options,
    parse_options,
    parse_settings,
    parse_value,
    refuse_twice,
)
from unskew.cli.train import _FIELDS, train
from unskew.errors import UserError
from unskew.remedies.registry import make_remedy
from unskew.training.recipe import Recipe, make_recipe


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("3.0", 3.0), ("1e-3", 1e-3), ("true", True), ("False", False),
        ("scrambled", "scrambled"), ("0.5,0.3,0.2", (0.5, 0.3, 0.2)), ("1,2", (1.0, 2.0)),
        ("a,b", "a,b"), ("1,", "1,"), ("", ""),
    ],
)  # fmt: skip
def test_text_becomes_the_value_it_looks_like(text, value):
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_a_list_of_numbers_reaches_a_remedy():
    name = "posthoc_logit_adjustment"
    options = parse_nested_options([f"{name}.target=0.5,0.3,0.2", f"{name}.tau=2"])
    remedy = make_remedy(name, options)
    assert (remedy.target, remedy.tau) == ((0.5, 0.3, 0.2), 2.0)


@pytest.mark.parametrize("item", ["a", "=1"])
def test_what_is_no_option_is_refused(item):
    with pytest.raises(UserError, match="write it as name=value"):
        parse_options([item])


def test_an_option_without_a_remedy_is_refused():
    with pytest.raises(UserError, match=r"write it as remedy\.option=value"):
        parse_nested_options(["tau=1"])


def test_one_name_given_twice_is_refused():
    with pytest.raises(UserError, match="a is given twice, as a=1 and as a=2"):
        parse_options(["a=1", "b=1", "a=2"])
    refuse_twice({"seed": 1}, "--epochs", "epochs")
    with pytest.raises(UserError, match="by --epochs and by --set epochs"):
        refuse_twice({"epochs": 1}, "--epochs", "epochs")


@pytest.mark.parametrize(
    ("item", "field", "value"),
    [
        ("skew=step:0-1:0.5", "skew", {"profile": "step", "classes": [0, 1], "keep": 0.5}),
        ("test_skew=exponential:9", "test_skew",
         {"profile": "exponential", "imbalance_ratio": 9.0}),
        ("milestones=5", "milestones", [5]),
        ("milestones=5,8", "milestones", [5, 8]),
        ("data=2024", "data", "2024"),
        ("kernels=off", "kernels", "off"),
        ("epochs=3", "epochs", 3),
        ("model_options.hidden=64", "model_options", {"hidden": 64}),
        ("remedy_options.focal.gamma=2", "remedy_options", {"focal": {"gamma": 2}}),
    ],
)  # fmt: skip
def test_a_setting_is_read_as_its_field_asks(item, field, value):
    assert parse_settings([item]) == {field: value}
    schedule = "step" if field == "milestones" else "constant"
    recipe = make_recipe({"schedule": schedule, **parse_settings([item])})
    dumped = recipe.model_dump(mode="json", exclude_none=True)
    assert dumped[field] == value


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("skew=stairs", "'stairs' is no skew"),
        ("milestone=5", "did you mean 'milestones'"),
        ("epochs.x=5", "unknown setting 'epochs.x'"),
        ("milestones=5,", "milestones"),
        ("remedy_options=5", "write it as name=value"),
    ],
)
def test_a_setting_that_is_none_is_refused(item, words):
    with pytest.raises(UserError, match=words):
        make_recipe({"schedule": "step", **parse_settings([item])})


def test_the_help_names_every_setting_that_has_no_option():
    told = str(train.__annotations__["set_"])
    for field in Recipe.model_fields.keys() - set(_FIELDS.values()) - FILLED_IN.keys():
        assert field in told
