import pytest

from tests.tiny_study import TEXT
from unskew.errors import UserError
from unskew.study.plan import plan, plan_second_stage
from unskew.study.spec import Study, shipped_studies
from unskew.study.text import fill, in_language, short_number


@pytest.mark.parametrize("name", shipped_studies())
def test_every_shipped_study_is_sound_and_speaks_both_languages(name):
    study = Study.load(name)
    assert study.name == name
    assert {"en", "zh"} <= set(study.title) & set(study.question)
    for arm in study.expanded_arms().values():
        assert {"en", "zh"} <= set(arm.label)
        assert "{" not in "".join(arm.label.values())
    assert Study.from_toml(study.to_toml(), "copy") == study
    assert plan(study, 1, "ab")


def test_the_courseworks_arms():
    study = Study.load("coursework")
    arms = study.expanded_arms()
    assert len(arms) == 2 * (1 + 4 + 1)
    assert {arm.recipe.weight_decay for arm in arms.values()} == {0, 1e-4, 1e-3, 1e-2}
    recipe = arms["cnn-skewed-wd1e-3"].recipe
    assert (recipe.epochs, recipe.learning_rate, recipe.batch_size) == (5, 0.01, 100)
    assert recipe.skew.classes == (0, 1, 2, 3, 4)
    assert arms["cnn-full"].label["en"] == "CNN, full data"


def test_a_plan_goes_seed_by_seed_and_shares_equal_recipes(tiny):
    runs = plan(tiny, 2, "ab")
    assert len(runs) == 2 * (3 + 2)
    assert [run.recipe.seed for run in runs] == [0] * 5 + [1] * 5
    assert sum(run.for_choice for run in runs) == 4
    twice = TEXT.replace('name = "full"', 'name = "again-{model}"\ngrid = { model = ["cnn"] }', 1)
    twice = twice.replace('"full"', '"again-cnn"') + '[[arms]]\nname = "same"\n'
    shared = [run for run in plan(Study.from_toml(twice, "t"), 1, "ab") if len(run.arms) > 1]
    assert [run.arms for run in shared] == [("again-cnn", "same")]


def test_seeds_share_one_subset_or_draw_one_each_for_all_arms(tiny):
    assert {run.recipe.subset_seed for run in plan(tiny, 3, "ab")} == {0}
    each = tiny.override(subset_per_seed=True, recipe={"subset_seed": 5})
    runs = plan(each, 3, "ab")
    assert all(run.recipe.subset_seed == 5 + run.recipe.seed for run in runs)
    fresh = plan_second_stage(each, ["wd0", "full"], 2, "ab")
    assert [run.recipe.subset_seed for run in fresh] == [1005, 1005, 1006, 1006]
    assert Study.from_toml(each.to_toml(), "copy") == each
    assert not each.override(subset_per_seed=False).subset_per_seed


def test_a_spread_over_subsets_does_not_go_with_a_subset_for_each_seed():
    with pytest.raises(UserError, match="drop subset_per_seed"):
        Study.load("subsets").override(subset_per_seed=True)


def test_a_run_for_a_choice_holds_images_out(tiny):
    assert all((run.recipe.validation > 0) == run.for_choice for run in plan(tiny, 1, "ab"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "tiny"', 'name = "a/b"', "name = 'a/b'"),
        ("seeds = 2", "seeds = 0", "seeds = 0"),
        ("seeds = 2", "seed = 2", "unknown setting 'seed'"),
        ("epochs = 2", "epochs = 0", "arm 'wd0': epochs = 0"),
        ("epochs = 2", "epoch = 2", "arm 'wd0': unknown setting 'epoch': did you mean 'epochs'"),
        ("epochs = 2", "epochs = ", "not valid TOML"),
        ('field = "weight_decay"', 'field = "weight_decoy"', "did you mean 'weight_decay'"),
        ('field = "weight_decay"', 'field = "weight_decay"\nmetric = "nll"', "largest nll"),
        ('field = "weight_decay"', 'field = "weight_decay"\nmetric = "acuracy"', "mean 'accuracy'"),
        ('title = "Does decay help?"', 'metric = "zz"', "unknown metric 'zz': known are accuracy"),
        ('arms = ["wd*"]', 'arms = ["xx*"]',
         r"selection 'decay' names 'xx\*', which matches no arm: the arms are wd0, wd1e-3, full"),
        ('arms = ["wd*"]', 'arms = ["wd*", "ful"]', "selection 'decay' names 'ful', which matches"),
        ('arms = ["wd*"]', "arms = []", "selection 'decay' has no arms"),
        ('["wd0", "full"]', '["wd0", "wd0"]', "compares 'wd0' with itself"),
        ('["wd0", "full"]', '["wd1e-3", "wd0"]', "compares 'wd1e-3' with 'wd0' twice"),
        ('["wd0", "full"]]', '["wd0", "full"]]\ngrid = { model = ["cnn", "lstm"] }',
         "compares 'wd1e-3' with 'wd0' twice: tell its pairs apart by its grid"),
        ('pairs = [["wd1e-3", "wd0"], ["wd0", "full"]]',
         'baseline = "full"\ncandidates = ["wd0", "full"]', "compares 'full' with itself"),
        ('["wd0", "full"]', '["wd0", "ful"]', "a comparison names 'ful'"),
        ('arm = "full", metric = "accuracy", value', 'arm = "f", metric = "accuracy", value',
         "a published figure names 'f'"),
        ('"wd{weight_decay}"', '"wd"', "two arms are called 'wd'"),
        ('"Does decay help?"', '"Does {seed} help?"\ngrid = { seed = [0, 1] }',
         r"one family with one title: leave \{seed\} out"),
        ("pairs = [", 'baseline = "wd0"\npairs = [', "either pairs, or a baseline"),
        ("epochs = 2", 'epochs = 2\ndata = "cifar10"', "arm 'wd0': data cannot be set"),
        ("epochs = 2", "epochs = 2\nseed = 7", "arm 'wd0': seed cannot be set"),
        ("epochs = 2", "epochs = 2\nvalidation = 0.2", "a selection says what is held out"),
        ("weight_decay = [0, 1e-3]", "weight_decay = []",
         "has a grid without a value of weight_decay: no list of a grid may be empty"),
        ('["wd0", "full"]]', '["wd0", "full"]]\ngrid = { model = [] }',
         "a comparison has a grid without a value of model"),
        ('field = "weight_decay"', 'field = "weight_decay"\ngrid = { model = [] }',
         "selection 'decay' has a grid without a value of model"),
        ('selection = "decay", value', 'selection = "decy", value',
         "the claim 'Decay is best.' names the selection 'decy', but the selections are decay"),
        ('selection = "decay", value = 1e-3', 'selection = "decay"',
         "'Decay is best.' holds whatever is measured: give it a value, a low or a high"),
        ('selection = "decay", value = 1e-3', 'selection = "decay", value = 1e-3, low = 0.0',
         "'Decay is best.' has a value and bounds"),
        ('arm = "full", metric = "accuracy", low = 0.0,', 'arm = "full", low = 0.0,',
         "'It learns.' says no figure of arm 'full': give it a metric"),
        ('arm = "full", metric = "accuracy", low = 0.0,',
         'arm = "full", metric = "accuracy", value = 0.0,',
         "'It learns.' holds whatever is measured: give it a low or a high"),
        ('arm = "full", metric = "accuracy", low = 0.0,', "low = 0.0,",
         "'It learns.' is about nothing: name a selection or an arm"),
        ('arm = "full", metric = "accuracy", low = 0.0,',
         'arm = "full", metric = "accuracy", low = 0.0, value = 0.5,',
         "'It learns.' has a value, and of an arm's figure only bounds can be held"),
        ('arm = "full", metric = "accuracy", low = 0.0,',
         'arm = "full", metric = "accuracy", low = 0.5, high = 0.4,',
         "'It learns.' lies between 0.5 and 0.4: exchange low and high"),
        ('arm = "full", metric = "accuracy", low = 0.0,',
         'arm = "full", metric = "accuracy", low = nan,',
         "'It learns.' has a bound that is no number"),
        ('selection = "decay", value = 1e-3', 'selection = "decay", arm = "full", value = 1e-3',
         "'Decay is best.' is about a selection, and about an arm too"),
        ('baseline = "wd0"', 'baseline = "full"',
         "'decay' chooses among wd0, wd1e-3: its baseline 'full' has to be one of them"),
        ('arms = ["wd*"]', 'arms = ["wd*", "full"]',
         "its arms 'wd0' and 'full' would hold out other images"),
        ('field = "weight_decay"', 'field = "momentum"',
         "chooses a momentum, in which its arms 'wd0' and 'wd1e-3' do not differ"),
        ("seeds = 2", "seeds = " + "9" * 5000, "not valid TOML"),
        ("seeds = 2", "seeds = " + "[" * 5000, "not valid TOML"),
        ("seeds = 2", "seeds = 1000000000", "3 arms of 1,000,000,000 seeds are 3,000,000,000 runs"),
        ("grid = { weight_decay = [0, 1e-3] }",
         "grid = { " + ", ".join(f"{field} = {[k / 100 for k in range(1, 21)]}" for field in (
             "weight_decay", "learning_rate", "momentum", "label_smoothing")) + " }",
         "100,000 at most"),
        ("weight_decay = [0, 1e-3]", "weight_decay = [0, 1e-3], subset_seed = [" + "9" * 400 + "]",
         "a number is too large"),
        ("seeds = 2", "seeds = 0x" + "f" * 5000, "a number has more than 1,000 digits"),
        ("seeds = 2", "a." * 1_000 + "b = 1", "a key has more than 100 parts"),
        ("seeds = 2", "names = {" + "'a' . " * 1_000 + "b = 1}", "a key has more than 100 parts"),
        ('["wd0", "full"]]',
         '["wd0", "full"]]\ngrid = { ' + ", ".join(f"{k} = [1, 2, 3]" for k in "abcdefghijkl")
         + " }",
         "a comparison has a grid of 531,441 combinations"),
        ('name = "full"', 'name = "{nope}"', r"arm '\{nope\}': \{nope\} is not in the grid"),
        ('label.en = "decay {weight_decay}"', 'label.en = "decay {weight_decoy}"',
         r"arm 'wd\{weight_decay\}': \{weight_decoy\} is not in the grid"),
        ('title = "Decay"', 'title = "Decay of {model}"',
         r"selection 'decay': \{model\} is not in the grid"),
        ('title = "Does decay help?"', 'title = "Does {decay} help?"',
         r"a comparison: \{decay\} is not in the grid"),
        ('zh = "小型研究"', 'fr = "Une étude"',
         "'Une étude' is in the language 'fr', and reports are in en or zh"),
        ('label.zh = "衰减 {weight_decay}"', 'label.de = "Abfall"', "in the language 'de'"),
        ("[[comparisons]]", '[[selections]]\nname = "more"\narms = ["wd*"]\nbaseline = "wd0"\n'
         'field = "weight_decay"\nvalidation = 0.3\n[[comparisons]]', "hold out 0.1 and 0.3"),
        ('label.en = "full data"',
         'recipe.test_skew = { profile = "step", classes = [0], keep = 0.1 }',
         "'wd0' and 'full' are judged by different test images"),
    ],
)  # fmt: skip
def test_faults_are_one_sentence_that_names_the_file(old, new, words):
    assert old in TEXT
    with pytest.raises(UserError, match=words) as error:
        Study.from_toml(TEXT.replace(old, new), "my.toml")
    assert str(error.value).startswith("my.toml")


def test_a_skew_of_the_test_images_is_drawn_by_one_seed_in_what_is_compared():
    skew = 'epochs = 2\ntest_skew = { profile = "step", classes = [0], keep = 0.1 }'
    text = TEXT.replace("epochs = 2", skew)
    Study.from_toml(text, "my.toml")
    other = text.replace('label.en = "full data"', "recipe.subset_seed = 3")
    with pytest.raises(UserError, match="and subset_seed with one"):
        Study.from_toml(other, "my.toml")


def interactions(label, first="plainly"):
    grid = "grid = { weight_decay = [0, 1e-3] }"
    gains = f"""first = {{ label = "{first}", pair = ["wd{{weight_decay}}", "full"] }}
second = {{ label = "in full", pair = ["full", "wd{{weight_decay}}"] }}"""
    return f'{TEXT}\n[[interactions]]\nlabel = "{label}"\n{grid}\n{gains}\n'


def test_interactions_are_told_apart_by_their_labels():
    assert Study.from_toml(interactions("λ = {weight_decay}"), "t").interactions
    with pytest.raises(UserError, match="two interactions are called 'λ'"):
        Study.from_toml(interactions("λ"), "t")
    with pytest.raises(UserError, match="circumstances of an interaction are those of its whole"):
        Study.from_toml(interactions("λ = {weight_decay}", "at {weight_decay}"), "t")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["full", "wd{weight_decay}"]', '["full", "full"]', "compares 'full' with itself"),
        ('["full", "wd{weight_decay}"]', '["wd{weight_decay}", "full"]',
         "the gain of 'wd0' over 'full' against itself"),
        ("wd{weight_decay}", "wd0",
         "an interaction of 'wd0' and 'full' stands in its family twice: tell its pairs apart"),
    ],
)  # fmt: skip
def test_an_interaction_that_measures_nothing_is_refused(old, new, words):
    """As in a comparison, whose family Holm's correction is over."""
    text = interactions("λ = {weight_decay}")
    assert old in text.partition("[[interactions]]")[2]
    begin, part, rest = text.partition("[[interactions]]")
    with pytest.raises(UserError, match=words):
        Study.from_toml(begin + part + rest.replace(old, new), "t")


TWO_BLOCKS = """
name = "two"
[[arms]]
name = "x-{remedy}"
grid = { remedy = ["none", "focal"] }
[[arms]]
name = "y-{remedy}"
grid = { remedy = ["none", "focal"] }
recipe.learning_rate = 0.2
[[rankings]]
blocks = [{ arms = "x-*" }, { arms = "y-*" }]
"""


def test_blocks_of_the_same_runs_are_one():
    assert Study.from_toml(TWO_BLOCKS, "t").rankings
    same = TWO_BLOCKS.replace("recipe.learning_rate = 0.2\n", "")
    with pytest.raises(UserError, match=r"blocks 'x-\*' and 'y-\*' have the same runs of two"):
        Study.from_toml(same, "t")


def test_blocks_that_share_the_runs_of_two_treatments_are_one():
    """Only what differs in the option is measured twice; the others would count for two."""
    arms = """
[[arms]]
name = "{remedy}-a"
grid = { remedy = [REMEDIES, "posthoc_logit_adjustment"] }
[[arms]]
name = "{remedy}-b"
grid = { remedy = [REMEDIES] }
[[arms]]
name = "posthoc_logit_adjustment-b"
recipe.remedy = "posthoc_logit_adjustment"
recipe.remedy_options.posthoc_logit_adjustment.tau = 2.0
[[rankings]]
blocks = [{ arms = "*-a" }, { arms = "*-b" }]
"""
    one = 'name = "taus"' + arms.replace("REMEDIES", '"none"')
    assert Study.from_toml(one, "t").rankings
    two = 'name = "taus"' + arms.replace("REMEDIES", '"none", "focal"')
    with pytest.raises(UserError, match=r"'\*-a' and '\*-b' have the same runs of two treatments"):
        Study.from_toml(two, "t")


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("recipe.subset_seed = 1", "recipe.subset_seed = 2", ""),
        ("recipe.skew.classes = [0]", "recipe.skew.classes = [1]", ""),
        ("", "recipe.subset_seed = 2\nrecipe.epochs = 9", "differ in subset_seed and epochs: a, b"),
        ("", "", "the same runs under two names among a, b"),
    ],
)
def test_a_spread_is_over_one_thing(one, other, told):
    skew = 'recipe.skew.profile = "step"\nrecipe.skew.keep = 0.1\n'
    text = 'name = "s"\n'
    for name, own in (("a", one), ("b", other)):
        text += f'[[arms]]\nname = "{name}"\n{own}\n{skew if "skew" in own else ""}'
    text += '[[spreads]]\nsource = "chance"\narms = ["*"]\n'
    if told:
        with pytest.raises(UserError, match=told):
            Study.from_toml(text, "t")
    else:
        assert Study.from_toml(text, "t").spreads


def test_a_grid_fills_no_second_star_into_a_block():
    starred = TWO_BLOCKS.replace(
        'blocks = [{ arms = "x-*" }, { arms = "y-*" }]',
        'grid = { which = ["x*", "y"] }\nblocks = [{ arms = "{which}-*" }]',
    )
    with pytest.raises(UserError, match=r"the block 'x\*-\*' of a ranking has to have one \*"):
        Study.from_toml(starred, "t")


def test_a_family_without_a_grid_s_value_is_none():
    text = interactions("λ = {weight_decay}").replace(
        "grid = { weight_decay = [0, 1e-3] }\nfirst", "grid = { weight_decay = [] }\nfirst"
    )
    with pytest.raises(UserError, match="an interaction has a grid without a value of weight_de"):
        Study.from_toml(text, "t")


def test_a_name_may_have_brackets_and_a_slip_in_any_list_is_named():
    text = TEXT.replace('arms = ["wd*"]', 'arms = ["wd*", "[all]"]').replace(
        'name = "full"', 'name = "[all]"\nrecipe.weight_decay = 0.1\nrecipe.skew = { '
        'profile = "step", classes = [0, 1, 2], keep = 0.2 }').replace(
        '"full"', '"[all]"')  # fmt: skip
    (choice,) = Study.from_toml(text, "t").expanded_selections()
    assert choice.arms == ["wd0", "wd1e-3", "[all]"]
    spread = '\n[[spreads]]\nsource = "chance"\narms = ["wd*", "fll"]\n'
    with pytest.raises(UserError, match="a spread names 'fll', which matches no arm"):
        Study.from_toml(TEXT + spread, "t")


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ('[[spreads]]\nsource = "chance"\narms = ["wd*"]\ntitle = "Of {x}"', "x"),
        ('[[rankings]]\ntitle = "Of {x}"\nblocks = [{ arms = "x-*" }, { arms = "y-*" }]', "x"),
        ('[[rankings]]\nlabel = "{remedy}"\nblocks = [{ arms = "x-*" }, { arms = "y-*" }]',
         "remedy"),
        ('[[rankings]]\nblocks = [{ arms = "x-*", label = "{z}" }, { arms = "y-*" }]', "z"),
    ],
)  # fmt: skip
def test_what_nothing_fills_in_is_no_label(part, field):
    text = TEXT if "spreads" in part else TWO_BLOCKS
    with pytest.raises(UserError, match=rf"a (spread|ranking): \{{{field}\}} is not in the grid"):
        Study.from_toml(f"{text}\n{part}\n", "t")


def test_an_interaction_s_label_has_fields_of_its_grid():
    with pytest.raises(UserError, match=r"an interaction: \{decay\} is not in the grid"):
        Study.from_toml(interactions("λ = {decay}"), "t")
    with pytest.raises(UserError, match=r"an interaction: \{momentum\} is not in the grid"):
        Study.from_toml(interactions("λ = {weight_decay}", "at {momentum}"), "t")


def test_other_braces_stay_as_they_are():
    text = TEXT.replace('label.en = "full data"', 'label.en = "all of {0, 1, 2, 3}"')
    assert Study.from_toml(text, "t").expanded_arms()["full"].label["en"] == "all of {0, 1, 2, 3}"


def test_a_folder_s_study_is_measured_before_its_arms_are_spelt_out():
    """Which are asked for though the file has another fault."""
    many = ", ".join(f"{k} = [1, 2, 3]" for k in "abcdefghijkl")
    text = TEXT.replace("grid = { weight_decay = [0, 1e-3] }", f"grid = {{ {many} }}")
    with pytest.raises(UserError, match="100,000 at most make sense: shorten"):
        Study.from_toml(text, "t", check=False)


def test_a_file_that_is_too_large_for_a_study_is_not_read(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(TEXT + "#" * 2**20)
    with pytest.raises(UserError, match=r"my\.toml: it has more than 1,048,576 characters"):
        Study.load(str(path))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"\xff\xfe", "is no text in UTF-8"),
        (TEXT.encode("gbk", "replace"), "UTF-8"),
    ],
)
def test_a_file_of_another_alphabet_is_named(tmp_path, written, words):
    (tmp_path / "my.toml").write_bytes(written)
    with pytest.raises(UserError, match=rf"my\.toml .*{words}"):
        Study.load(str(tmp_path / "my.toml"))


def test_a_mark_of_the_byte_order_is_no_fault(tmp_path):
    (tmp_path / "my.toml").write_text("\ufeff" + TEXT, encoding="utf-8")
    assert Study.load(str(tmp_path / "my.toml")).name == "tiny"


def test_a_study_that_cannot_be_read_is_not_said_to_be_missing(tmp_path):
    with pytest.raises(UserError, match="cannot read the study"):
        Study.load(str(tmp_path))


def test_a_study_that_is_not_there_lists_those_that_are():
    with pytest.raises(UserError, match=r"no study 'nope': .*coursework"):
        Study.load("nope")


def test_overrides(tiny):
    changed = tiny.override(seeds=5, recipe={"learning_rate": 0.5})
    assert changed.seeds == 5
    assert all(a.recipe.learning_rate == 0.5 for a in changed.expanded_arms().values())
    with pytest.raises(UserError, match="weight_decay cannot be set"):
        tiny.override(recipe={"weight_decay": 1})
    with pytest.raises(UserError, match="epochs = 0"):
        tiny.override(recipe={"epochs": 0})
    with pytest.raises(UserError, match="seeds = 0, but it must be 1 at least"):
        tiny.override(seeds=0)
    with pytest.raises(UserError, match="fresh_seeds = -1, but it must be 0 at least"):
        tiny.override(fresh_seeds=-1)


def test_a_known_name_is_no_folder_s(tiny, tmp_path, monkeypatch):
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert tiny.override(data="cifar10").data == "cifar10"
    assert tiny.override(data="photos").data == str(tmp_path / "photos")
    assert tiny.override(data="x" * 5000).data == "x" * 5000
    with pytest.raises(UserError, match="'~nobody-of-this-name/x' names the home of somebody"):
        tiny.override(data="~nobody-of-this-name/x")


def test_texts():
    assert fill("{a} and {b} {c}", {"a": 1e-4, "b": "x"}) == "1e-4 and x {c}"
    assert [short_number(x) for x in (0, 1e-4, 3e-5, 0.05, 0.01, 100, 1.5e-3)] == [
        "0", "1e-4", "3e-5", "0.05", "1e-2", "100", "1.5e-3",
    ]  # fmt: skip
    assert in_language({"en": "a", "zh": "b"}, "zh") == "b"
    assert in_language({"en": "a"}, "zh") == "a"
