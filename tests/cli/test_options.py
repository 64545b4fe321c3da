import pytest

from unskew.cli.options import parse_nested_options, parse_options, parse_value
from unskew.errors import UserError
from unskew.remedies.registry import make_remedy


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
