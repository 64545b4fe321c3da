"""What is said of a name that is none."""

from unskew.errors import UnknownNameError, nearest


def test_a_misspelling_is_answered_with_the_name():
    assert str(UnknownNameError("model", "cnm", ["cnn", "lstm"], "list")) == (
        "unknown model 'cnm': did you mean 'cnn'?"
    )
    assert nearest("epoch", {"epochs": 1, "seed": 2}) == "epochs"


def test_else_with_the_command_that_lists_or_all_names():
    assert str(UnknownNameError("model", "x", ["cnn", "lstm"])) == (
        "unknown model 'x': known are cnn, lstm"
    )
    assert str(UnknownNameError("model", "x", ["cnn"], "unskew models list")) == (
        "unknown model 'x': `unskew models list` shows what there is"
    )
    assert nearest("x", ["cnn"]) is None
