"""Which arms of a study file are the same treatment in which block."""

import pytest

from unskew.errors import UserError
from unskew.study.spec import Study

TEXT = """
name = "ranked"
names = { cnn = "CNN" }
[[arms]]
name = "{model}-full-wd{weight_decay}"
grid = { model = ["cnn", "lstm"], weight_decay = [0, 1e-3, 1e-2] }
[[arms]]
name = "{model}-skewed-wd{weight_decay}"
grid = { model = ["cnn", "lstm"], weight_decay = [1e-2, 0] }
recipe.skew = { profile = "step", classes = [0], keep = 0.1 }
[[rankings]]
title = "All"
grid = { model = ["cnn", "lstm"] }
blocks = [
    { arms = "{model}-full-wd*", label = "{model}, full" },
    { arms = "{model}-skewed-wd*", label = "{model}, skewed" },
]
"""


def test_a_grid_makes_blocks_and_what_all_of_them_have_is_ranked():
    study = Study.from_toml(TEXT, "t")
    (ranking,) = study.expanded_rankings()
    assert [block.label["en"] for block in ranking.blocks] == [
        "CNN, full", "CNN, skewed", "lstm, full", "lstm, skewed",
    ]  # fmt: skip
    arms = list(study.expanded_arms())
    assert ranking.treatments(arms) == {
        "0": ("cnn-full-wd0", "cnn-skewed-wd0", "lstm-full-wd0", "lstm-skewed-wd0"),
        "1e-2": ("cnn-full-wd1e-2", "cnn-skewed-wd1e-2", "lstm-full-wd1e-2", "lstm-skewed-wd1e-2"),
    }
    assert Study.from_toml(study.to_toml(), "copy") == study


def test_a_star_stands_for_something():
    (ranking,) = Study.from_toml(TEXT, "t").expanded_rankings()
    block = ranking.blocks[0]
    assert block.treatment("cnn-full-wd1e-3") == "1e-3"
    assert block.treatment("cnn-full-wd") is None
    assert block.treatment("lstm-full-wd0") is None
    around = block.model_copy(update={"arms": "ab*ba"})
    assert around.treatment("abba") is around.treatment("aba") is None
    assert around.treatment("ab-ba") == "-"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-full-wd*", "-full-wd", "blocks.0.arms"),
        ("-full-wd*", "-full-*-*", "blocks.0.arms"),
        ("-full-wd*", "-skewed-wd*", r"has the block 'cnn-skewed-wd\*' twice"),
        ('    { arms = "{model}-full-wd*", label = "{model}, full" },\n', "",
         "takes two blocks or more, and has cnn-skewed"),
        ('"{model}-skewed-wd*"', '"{model}-skewed-w*"', "share fewer than two treatments"),
    ],
)  # fmt: skip
def test_faults_are_named(old, new, words):
    assert old in TEXT
    text = TEXT.replace(old, new, 1).replace('grid = { model = ["cnn", "lstm"] }\nblocks',
                                             'grid = { model = ["cnn"] }\nblocks')  # fmt: skip
    with pytest.raises(UserError, match=words):
        Study.from_toml(text, "t")


def test_a_block_whose_placeholder_is_forgotten_is_not_counted_twice():
    text = TEXT.replace('"{model}-full-wd*"', '"cnn-full-wd*"')
    with pytest.raises(UserError, match=r"block 'cnn-full-wd\*' twice: tell its blocks apart"):
        Study.from_toml(text, "t")


def test_the_literatures_settings_are_six_blocks_of_ten():
    study = Study.load("literature")
    (ranking,) = study.expanded_rankings()
    treatments = ranking.treatments(list(study.expanded_arms()))
    assert len(treatments) == 10
    assert all(len(arms) == 6 for arms in treatments.values())
    assert treatments["none"][0] == "step-10-none"
