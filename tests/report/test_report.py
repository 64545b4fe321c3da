"""The report of a finished, an unfinished and a hostile study; in a real browser where one is."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

import unskew.report
from tests.report.synthetic import write_study
from tests.report.undrawn import undrawn_save
from unskew.errors import UserError
from unskew.evaluation.significance import paired_difference
from unskew.report.catalogue import LANGUAGES, Words
from unskew.report.document import Document, Section, Table
from unskew.report.figures import style
from unskew.report.html import to_html
from unskew.report.numbers import points
from unskew.report.write import write_report
from unskew.study.results import load_results

ROOT = Path(__file__).resolve().parents[2]
WORDS = Path(unskew.report.__file__).parent / "words"


@pytest.fixture
def out(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "out")


@pytest.fixture(scope="module")
def written(finished, tmp_path_factory):
    """The page of a finished study, with its figures beside it."""
    out = tmp_path_factory.mktemp("written") / "out"
    return write_report(shutil.copytree(finished, out))


def test_results_are_told_without_pytorch(out):
    """Importing it takes seconds and twice the memory, and nothing is trained."""
    code = (
        "import sys\n"
        "from unskew.cli.main import main\n"
        "import unskew.report.ranking_page\n"
        "from tests.report.undrawn import undrawn_save\n"
        "from unskew.report.figures import style\n"
        "style.save = undrawn_save\n"
        f"sys.argv = {['unskew', 'report', str(out)]!r}\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(out / "report.html"), "False"]


def flat(language):
    table = tomllib.loads((WORDS / f"{language}.toml").read_text("utf-8"))
    return {f"{s}.{k}": text for s, part in table.items() for k, text in part.items()}


def test_every_language_says_everything_with_the_same_placeholders():
    reference = flat("en")
    for language in LANGUAGES:
        words = flat(language)
        assert words.keys() == reference.keys()
        for key, text in words.items():
            theirs, ours = (sorted(re.findall(r"\{\w+\}", t)) for t in (reference[key], text))
            assert ours == theirs, (language, key)
            assert text.count("|") == reference[key].count("|")


def test_every_message_is_used():
    sources = "\n".join(p.read_text() for p in Path(unskew.report.__file__).parent.rglob("*.py"))
    for key in flat("en"):
        section = key.split(".")[0]
        # Metrics, networks and verdicts are looked up by their names.
        by_rule = section in ("metric", "network", "comparison", "interaction", "results")
        # `Words.over` takes what is said of one seed alone by the other's key.
        assert by_rule or f'"{key.removesuffix("_one")}"' in sources, key


def test_one_page_that_needs_nothing_beside_it(written):
    page = written.read_text("utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|"http://www\.w3\.org[^"]*"', "", page)
    assert page.count("<svg") == len(re.findall(r'<svg role="img" aria-label="[^"]+', page))
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    for title in ("Conclusions", "The data", "The networks", "Comparisons", "Class by class",
                  "Choosing a setting", "Published and measured"):  # fmt: skip
        assert f"<h2>{title}</h2>" in page


@pytest.mark.usefixtures("once_undrawn")
def test_the_numbers_on_the_page_are_those_of_the_results(out):
    page = write_report(out).read_text("utf-8")
    results = load_results(out)
    for arm in results.arms.values():
        values = list(arm.metric("accuracy").values())
        assert f"{sum(values) / len(values):.3f}" in page
    a, b = (results.arms[n].metric("balanced_accuracy") for n in ("wd1e-3", "wd0"))
    assert points(paired_difference(a, b).difference.mean) in page
    assert "no rank test can fall below p = 0.50" in page.replace("\N{NO-BREAK SPACE}", " ")
    assert "It learns.” — holds here" in page
    assert "So it does." in page
    assert re.search(r"Skew helps.” — does not hold here: [^<]*\. No\.</li>", page)


@pytest.mark.usefixtures("once_undrawn")
def test_texts_from_outside_are_escaped(out):
    for form in ("html", "md"):
        text = write_report(out, form).read_text("utf-8")
        assert "<script>" not in text
        assert "alert(1)" in text


HOSTILE = tuple(f"<script>alert({k})</script> $_$ | `{k}` [b]" for k in range(10))


def test_names_of_classes_and_arms_are_text_everywhere(study, tmp_path, monkeypatch):
    """In tables, figures, captions and what stands for a figure; `$` is no formula either."""
    monkeypatch.setattr("tests.report.synthetic.NAMES", HOSTILE)
    arms = [arm.model_copy(update={"label": {"en": "$x$ <b>" + arm.name}}) for arm in study.arms]
    out = write_study(tmp_path / "out", study.model_copy(update={"arms": arms}))
    page = write_report(out)
    figures = "".join(path.read_text("utf-8") for path in (out / "figures").glob("*.svg"))
    assert "<script>" not in figures
    assert "$_$" in figures
    monkeypatch.setattr(style, "save", undrawn_save)
    for text in (page.read_text("utf-8"), write_report(out, "md").read_text("utf-8")):
        assert "<script>" not in text
        assert "<b>" not in text
        assert "alert(3)" in text


def test_written_again_it_is_the_same(written, out):
    assert write_report(out).read_bytes() == written.read_bytes()


@pytest.mark.usefixtures("once_undrawn")
def test_it_tells_how_far_it_has_come(out):
    told = []
    write_report(out, listen=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(told[0][1]))
    assert len({total for _, total in told}) == 1


def test_figures_are_written_as_png_and_svg(written):
    figures = written.parent / "figures"
    names = {path.stem for path in figures.iterdir()}
    assert {"class-counts", "samples", "curves-cnn", "comparison-1", "confusion",
            "minority-majority", "choice-1", "overview", "network-cnn"} <= names  # fmt: skip
    for name in names:
        with Image.open(figures / f"{name}.png") as image:
            assert image.width > 600
        assert (figures / f"{name}.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.usefixtures("once_undrawn")
def test_chinese_and_markdown(out):
    page = write_report(out, "html", "zh").read_text("utf-8")
    assert '<html lang="zh">' in page
    assert "小型研究" in page
    assert "衰减 1e-3" in page.replace("\N{WORD JOINER}", "")
    text = write_report(out, "md").read_text("utf-8")
    assert text.startswith("# A tiny study")
    for figure in re.findall(r"\]\((figures/[^)]+)\)", text):
        assert (out / figure).exists()


@pytest.mark.usefixtures("once_undrawn")
def test_an_unfinished_study_says_what_is_missing(out):
    for run in list((out / "runs").iterdir()):
        recipe = (run / "recipe.toml").read_text()
        if "seed = 1" in recipe and "subset_seed = 1" not in recipe:
            shutil.rmtree(run)
    page = write_report(out).read_text("utf-8")
    assert "3 of 6 runs are not over yet" in page
    assert "from one seed; nothing can be said about chance" in page
    for run in (out / "runs").iterdir():
        shutil.rmtree(run)
    for table in out.glob("*.csv"):  # which there are not before the first run is over
        table.unlink()
    assert "6 of 6 runs are not over yet" in write_report(out).read_text("utf-8")


@pytest.mark.usefixtures("once_undrawn")
def test_a_diverged_run_is_told_and_counts_in_no_figure(out):
    results = load_results(out)
    run = results.arms["full"].runs[0]
    path = out / "runs" / run.outcome.run_id / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"outcome": "diverged"}))
    page = write_report(out).read_text("utf-8")
    assert "1 of 2 runs diverged" in page


@pytest.mark.usefixtures("once_undrawn")
def test_what_is_no_study(tmp_path, out):
    with pytest.raises(UserError, match=r"is no study's folder \(it has no study.toml"):
        write_report(tmp_path)
    with pytest.raises(UserError, match="no format 'pdf'"):
        write_report(out, "pdf")
    with pytest.raises(UserError, match="no language 'fr'"):
        write_report(out, "html", "fr")
    (out / "data.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        write_report(out)


def test_what_is_said_of_one_seed_alone_stands_beside_what_is_said_of_several():
    words = flat("en")
    alone = [key.removesuffix("_one") for key in words if key.endswith("_one")]
    assert len(alone) > 12
    assert set(alone) <= words.keys()
    english = Words("en")
    assert "from one seed" in english.over("overview.caption", [1, 0, 1], metric="m")
    assert "over 1–2 seeds" in english.over("overview.caption", [1, 2], metric="m")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1200, 390])
def test_a_browser_shows_it_without_a_sideways_scroll(written, tmp_path, width):
    page = written
    # The page tells its own width through its title, which the browser prints with the DOM.
    probe = tmp_path / "probe.html"
    script = (
        "<script>document.title = 'w' + (document.documentElement.scrollWidth - innerWidth)"
        "</script></body>"
    )
    probe.write_text(page.read_text("utf-8").replace("</body>", script), "utf-8")
    shot = tmp_path / "shot.png"
    common = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
              "--disable-background-networking", "--disable-component-update",
              f"--user-data-dir={tmp_path}/profile", f"--window-size={width},900"]  # fmt: skip
    dom = subprocess.run(
        [*common, "--dump-dom", probe.as_uri()], capture_output=True, text=True, timeout=120
    ).stdout
    assert int(re.search(r"<title>w(-?\d+)</title>", dom)[1]) <= 0
    subprocess.run(
        [*common, f"--screenshot={shot}", page.as_uri()], capture_output=True, timeout=120
    )
    with Image.open(shot) as image:
        # Something is drawn: text on paper, not one flat colour.
        assert len(image.convert("L").getcolors()) > 20


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_shows_a_wide_table_whole_where_there_is_room_beside_the_text(tmp_path):
    header = ("arm", "seeds", *(f"figure {k}" for k in range(7)))
    row = ("an arm of some words", "2", *["9.385 ± 72.083"] * 7)
    table = Table(header, (row,), "caption")
    document = Document("title", "en", (), (Section("Results", (table,), "results"),))
    script = (
        "<script>const box = document.querySelector('.scroll');"
        "document.title = `w${box.scrollWidth - box.clientWidth}"
        " ${document.documentElement.scrollWidth - innerWidth}`</script></body>"
    )
    page = tmp_path / "page.html"
    page.write_text(to_html(document, {}, tmp_path).replace("</body>", script), "utf-8")
    dom = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update",
         f"--user-data-dir={tmp_path}/profile", "--window-size=1200,900", "--dump-dom",
         page.as_uri()], capture_output=True, text=True, timeout=120,
    ).stdout  # fmt: skip
    hidden, beyond = re.search(r"<title>w(-?\d+) (-?\d+)</title>", dom).groups()
    assert int(hidden) <= 0
    assert int(beyond) <= 0
