"""Several studies, one ranking: blocks are data sets, and what they share is ranked."""

import json
import os

import pytest

from tests.report.synthetic import write_study
from unskew.errors import UserError
from unskew.evaluation.ranks import rank
from unskew.report.across import rank_studies
from unskew.report.ranking_page import write_ranking
from unskew.study.spec import Study

TEXT = """
name = "shared"
seeds = 2
names = { none = "no remedy" }
recipe.epochs = EPOCHS
[[arms]]
name = "PREFIX{remedy}"
label = { en = "with {remedy}", zh = "用 {remedy}" }
grid = { remedy = [REMEDIES] }
"""
STRENGTH = {"none": 1.0, "focal": 1.6, "drw": 2.4, "mixup": 3.2}


def write(folder, data, *, remedies=("none", "focal", "drw"), epochs=1, prefix="", **how):
    names = ", ".join(f'"{name}"' for name in remedies)
    text = TEXT.replace("REMEDIES", names).replace("EPOCHS", str(epochs)).replace("PREFIX", prefix)
    study = Study.from_toml(text, "shared.toml")
    how.setdefault("strength", lambda run: STRENGTH[run.recipe.remedy])
    return write_study(folder, study, data=data, **how)


@pytest.fixture
def folders(tmp_path):
    return [write(tmp_path / f"study{k}", (f"set {k}", f"{k}eed")) for k in range(6)]


def test_each_study_is_a_block(folders):
    across = rank_studies(folders)
    assert [label["en"] for label in across.ranked.blocks] == [f"set {k}" for k in range(6)]
    assert list(across.ranked.ranks.means) == ["drw", "focal", "none"]
    assert across.ranked.ranks == rank(across.ranked.figures)
    assert not across.ranked.one_set
    assert across.differing == ()


def test_figures_are_means_over_seeds_of_the_studies_own_results(folders):
    across = rank_studies(folders, metric="nll")
    for k, study in enumerate(across.studies):
        values = study.arms["focal"].metric("nll")
        assert across.ranked.figures["focal"][k] == pytest.approx(sum(values.values()) / 2)
    assert list(across.ranked.ranks.means)[-1] == "none"


def test_runs_are_counted_and_not_what_they_serve(tmp_path):
    """An arm whose recipe another has is no run more."""
    text = TEXT.replace("EPOCHS", "1").replace("PREFIX", "").replace("REMEDIES", '"none", "focal"')
    text += '[[arms]]\nname = "again"\n'
    folders = [
        write_study(tmp_path / name, Study.from_toml(text, "t"), data=(name, name * 2))
        for name in "ab"
    ]
    page = write_ranking(rank_studies(folders), tmp_path / "out", "md").read_text("utf-8")
    assert page.count("| 3 | 2 | 4 / 4 |") == 2


def test_only_what_all_have_is_ranked_and_unlike_recipes_are_named(tmp_path):
    first = write(tmp_path / "a", ("one", "aa"), remedies=("none", "mixup", "drw"))
    second = write(tmp_path / "b", ("two", "bb"), epochs=2)
    across = rank_studies([first, second])
    assert set(across.ranked.figures) == {"none", "drw"}
    assert across.differing == ("epochs",)
    text = write_ranking(across, tmp_path / "out", "md").read_text("utf-8")
    assert "differs between blocks in: epochs" in text


def test_studies_of_one_data_set_are_told_apart_by_folder_and_said_to_share_images(tmp_path):
    pair = [write(tmp_path / f"{n} epochs", ("photos", "aa"), epochs=n) for n in (1, 2)]
    across = rank_studies(pair)
    assert [label["en"] for label in across.ranked.blocks] == [f"photos ({f})" for f in pair]
    assert "They share images" in write_ranking(across, tmp_path / "out").read_text("utf-8")


def test_a_folder_whose_name_is_no_utf8_is_written_out(tmp_path):
    pair = [
        write(tmp_path / os.fsdecode(name), ("photos", "aa"), epochs=k)
        for k, name in enumerate((b"caf\xe9", b"plain"), 1)
    ]
    across = rank_studies(pair)
    assert across.ranked.blocks[0]["en"].endswith("caf\\xe9)")
    assert "caf\\xe9" in write_ranking(across, tmp_path / "out").read_text("utf-8")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_treatments_of_one_label_are_told_apart_by_name(tmp_path, language):
    text = TEXT.replace("EPOCHS", "1").replace("PREFIX", "")
    text = text.replace("REMEDIES", '"none", "focal"').replace("with {remedy}", "the same")
    study = Study.from_toml(text, "same.toml")
    folders = [write_study(tmp_path / name, study, data=(name, name * 2)) for name in "ab"]
    across = rank_studies(folders)
    labels = {name: label[language] for name, label in across.ranked.treatments.items()}
    told = {"none": "the same (none)", "focal": "the same (focal)"}
    assert labels == (told if language == "en" else {"none": "用 no remedy", "focal": "用 focal"})


def test_a_study_that_was_copied_or_run_again_is_no_second_block(tmp_path):
    """Whatever the data are called: the same recipe, seed and images are the same run."""
    first = write(tmp_path / "a", ("photos", "aa"))
    again = write(tmp_path / "b", ("the photos", "aa"), remedies=("focal", "none", "mixup"))
    with pytest.raises(
        UserError,
        match=r"a and .*b hold the same runs of two .* name one of them, or fewer --arms$",
    ):
        rank_studies([first, again])
    # That a treatment has not begun in it makes it no other study.
    begun = write(tmp_path / "d", ("photos", "aa"),
                  leave_out=lambda run: run.recipe.remedy == "focal")  # fmt: skip
    with pytest.raises(UserError, match=r"a and .*d hold the same runs"):
        rank_studies([first, begun])
    # What shares its baseline's runs alone is a block of its own.
    study = Study.from_toml(
        TEXT.replace("REMEDIES", '"none"').replace("EPOCHS", "1").replace("PREFIX", "")
        + '[[arms]]\nname = "drw"\nrecipe = { remedy = "drw", learning_rate = 0.2 }\n',
        "other.toml",
    )
    other = write_study(tmp_path / "c", study, data=("photos", "aa"))
    assert len(rank_studies([first, other]).ranked.blocks) == 2


def test_patterns_make_blocks_within_a_study(tmp_path):
    study = Study.from_toml(
        TEXT.replace("REMEDIES", '"none", "drw"').replace("EPOCHS", "1").replace("PREFIX", "x-")
        + '[[arms]]\nname = "y-{remedy}"\ngrid = { remedy = ["none", "drw"] }\n'
        "recipe.learning_rate = 0.2\n",
        "two.toml",
    )
    folder = write_study(tmp_path / "a", study, strength=lambda run: STRENGTH[run.recipe.remedy])
    across = rank_studies([folder], arms=["x-*", "y-*"])
    assert [label["en"] for label in across.ranked.blocks] == [
        "synthetic noise, x-*",
        "synthetic noise, y-*",
    ]
    assert across.ranked.treatments["none"] == {"en": "no remedy"}
    assert list(across.ranked.ranks.means) == ["drw", "none"]
    assert across.differing == ("learning_rate",)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_the_diagram_and_the_studies(folders, tmp_path, language):
    path = write_ranking(rank_studies(folders), tmp_path / "out", language=language)
    page = path.read_text("utf-8")
    assert path == tmp_path / "out" / "ranking.html"
    assert (tmp_path / "out" / "figures" / "ranking.png").stat().st_size > 1000
    assert "<svg" in page
    assert ("with drw" if language == "en" else "用 drw") in page
    assert "6 / 6" in page
    assert "share images" not in page
    assert "共用图像" not in page


def test_an_unfinished_study_waits(tmp_path, folders):
    started = write(tmp_path / "z", ("late", "ff"), leave_out=lambda run: True)
    across = rank_studies([folders[0], started])
    assert across.ranked.ranks is None
    assert "Too few runs" in write_ranking(across, tmp_path / "out").read_text("utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: {"folders": f[:1]}, "needs two blocks"),
        (lambda f: {"folders": [f[0], f[0].parent / "study0"]}, "named twice"),
        (lambda f: {"folders": f[:2], "arms": ["drw"]}, "needs one \\*"),
        (lambda f: {"folders": f[:2], "arms": ["*-*"]}, "needs one \\*"),
        (lambda f: {"folders": f[:2], "arms": ["step-*"]}, "no two arms in common"),
        (lambda f: {"folders": f[:2], "metric": "acuracy"}, "has the figure 'acuracy'"),
        (lambda f: {"folders": [f[0], f[0] / "no"]}, "is no study's folder"),
    ],
)
def test_what_cannot_be_ranked_is_said(folders, change, said):
    with pytest.raises(UserError, match=said):
        rank_studies(**change(folders))


def test_a_study_is_not_written_into(folders, tmp_path):
    before = json.loads((folders[0] / "data.json").read_text("utf-8"))
    with pytest.raises(UserError, match="choose another one with --out"):
        write_ranking(rank_studies(folders[:2]), folders[0])
    assert json.loads((folders[0] / "data.json").read_text("utf-8")) == before
    assert not (folders[0] / "ranking.html").exists()
    blocked = tmp_path / "file"
    blocked.write_text("mine")
    with pytest.raises(UserError, match="cannot write"):
        write_ranking(rank_studies(folders[:2]), blocked)
    assert blocked.read_text() == "mine"


def test_diverged_runs_are_not_passed_over(tmp_path):
    def explodes(run):
        return run.recipe.remedy == "focal" and run.recipe.seed == 1

    pair = [
        write(tmp_path / "a", ("one", "aa"), diverge=explodes),
        write(tmp_path / "b", ("b", "b")),
    ]
    across = rank_studies(pair)
    assert across.ranked.left_out == ["focal"]
    text = write_ranking(across, tmp_path / "out", "md").read_text("utf-8")
    assert "6 / 6, of these 1 diverged" in text
    assert "Not ranked, because a run of theirs diverged: with focal." in text


def test_arms_judged_by_different_images_are_not_ranked_in_one_block(tmp_path):
    text = TEXT.replace("REMEDIES", '"none", "drw"').replace("EPOCHS", "1").replace("PREFIX", "")
    skewed = '[[arms]]\nname = "skewed"\nrecipe.test_skew = {profile="step",classes=[0],keep=0.5}\n'
    study = Study.from_toml(text + skewed, "two.toml")
    folders = [write_study(tmp_path / k, study, data=(k, k)) for k in ("aa", "bb")]
    with pytest.raises(UserError, match=r"aa: arms 'none' and 'skewed' are judged by different"):
        rank_studies(folders)
