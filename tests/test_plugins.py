"""Remedies from files of one's own, and from packages that offer some."""

import os
import sys

import pytest
import torch

from tests.plugged import CALM, THIN, forgotten  # noqa: F401
from unskew import plugins
from unskew.errors import UserError
from unskew.models.cnn import CNN
from unskew.models.registry import build
from unskew.models.registry import names as networks
from unskew.plugins import use_plugins
from unskew.remedies.base import Remedy
from unskew.remedies.registry import description, make_remedy, names, remedy_sources
from unskew.training.recipe import Recipe
from unskew.training.replicas.kin import kinship

pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.fixture
def write(tmp_path):
    def writer(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return writer


def test_a_file_makes_its_remedy_known(write):
    use_plugins([write(CALM)])
    assert "calm" in names()
    assert description("calm") == "Does nothing, calmly."
    assert make_remedy("calm", {"calm": {"depth": 2}}).depth == 2.0


def test_a_file_makes_its_network_known(write):
    use_plugins([write(THIN)])
    assert networks()[-1] == "thin"
    built = build("thin", 7, 32, {"width": 5})
    assert built(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    with pytest.raises(UserError, match="model 'thin' has no option 'depth': its options are w"):
        build("thin", 7, 32, {"depth": 5})


def test_a_network_trains_alone_unless_it_says_otherwise(write):
    """A GPU shows many at once, and replays their steps, only what is known to allow it."""
    use_plugins([write(THIN), write(THIN.replace("thin", "side") + "    side_by_side = True\n",
                                    "side.py")])  # fmt: skip
    assert kinship(Recipe(model="thin")) is None
    assert kinship(Recipe(model="side")) is not None

    class Wider(CNN):
        name = "wider"

    assert kinship(Recipe(model="cnn")) is not None
    assert kinship(Recipe(model="wider")) is None


@pytest.mark.parametrize("lost", ["classifier", "num_features"])
def test_a_network_that_lacks_a_part_is_refused(write, lost):
    text = THIN.replace(f"self.{lost} =", "self.other =")
    use_plugins([write(text)])
    with pytest.raises(UserError, match="set num_features and classifier in its __init__"):
        build("thin", 7)


def test_a_file_is_run_once(write, tmp_path):
    counted = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n"
    path = write(CALM + counted)
    use_plugins([path])
    use_plugins([str(path)])
    assert "calm" in names()
    assert (tmp_path / "runs").read_text() == "x"


def test_what_lies_beside_a_file_can_be_imported_and_hides_nothing(write):
    write("DEPTH = 7.0\n", "depths_of_mine.py")
    write("raise SystemExit('not this one')\n", "json.py")
    use_plugins([write("import json\nfrom depths_of_mine import DEPTH\n"
                       + CALM.replace("= 1.0", "= DEPTH"))])  # fmt: skip
    assert make_remedy("calm").depth == 7.0


def test_a_digest_is_of_what_was_run(write):
    path = write(CALM)
    use_plugins([path])
    before = remedy_sources("calm+focal")
    path.write_text(CALM + "# changed meanwhile\n")
    assert remedy_sources("calm+focal") == before
    assert before.keys() == {"calm"}
    assert len(before["calm"]) == 12
    assert remedy_sources("none") == remedy_sources("ldam+drw") == {}


def test_another_file_has_another_digest(write, monkeypatch):
    path = write(CALM)
    use_plugins([path])
    before = remedy_sources("calm")
    monkeypatch.setattr(plugins, "_modules", {})
    path.write_text(CALM + "# another\n")
    use_plugins([path])
    assert remedy_sources("calm") != before


def test_a_remedy_of_an_imported_module_has_the_digest_of_its_file():
    @staticmethod
    def nothing():
        return None

    kind = type("Here", (Remedy,), {"name": "here", "__module__": __name__, "nothing": nothing})
    assert remedy_sources("here") == {"here": plugins.digest_of(__name__)}
    assert len(plugins.digest_of(__name__)) == 12
    assert kind.name == "here"


def test_a_notebook_has_no_file_to_tell():
    type("Cell", (Remedy,), {"name": "cell", "__module__": "no_module_of_this_name"})
    assert remedy_sources("cell") == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n", "mine.py defines nothing: derive a class from unskew.Remedy"),
        ("\nimport nothing_of_this_name\n",
         "mine.py, line 2: ModuleNotFoundError: No module named 'nothing_of_this_name'; mend it"),
        ("def f(:\n", "mine.py, line 1: SyntaxError: invalid syntax"),
        ("def f():\n    1 / 0\nf()\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        ("\nassert False\n", "mine.py, line 2: AssertionError; mend it"),
        ("import sys\nsys.exit(3)\n", "mine.py, line 2: SystemExit: 3"),
        ("\0", "mine.py: SyntaxError: source code string cannot contain null bytes"),
        (CALM.replace('"calm"', '"ldam"'), "mine.py: there is a remedy 'ldam' already, in "),
        (THIN.replace('"thin"', '"cnn"'), "mine.py: there is a model 'cnn' already, in unskew"),
        (CALM.replace('"calm"', '"none"'), "mine.py: a remedy cannot be called 'none': choose"),
        (CALM.replace('"calm"', '"a+b"'), "mine.py: a remedy cannot be called 'a+b': choose"),
        (CALM.replace('"calm"', '"../up"'), "mine.py: a remedy cannot be called '../up'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_in_a_sentence(write, tmp_path, text, told):
    with pytest.raises(UserError) as error:
        use_plugins([write(text)])
    assert str(error.value).startswith(str(tmp_path / told)) or told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_was_mended_is_read_again(write):
    path = write(CALM.replace("1.0", "1.0 +"))
    with pytest.raises(UserError, match="SyntaxError"):
        use_plugins([path])
    path.write_text(CALM)
    use_plugins([path])
    assert "calm" in names()


@pytest.mark.parametrize("name", ["nowhere.py", ".", "~nobody-of-this-name/x.py", "a" * 5000])
def test_no_file_is_no_plugin(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there is no plugin .*: give the path of a Python file"):
        use_plugins([name])
    assert os.environ[plugins.VARIABLE] == ""


def test_a_path_that_cannot_be_listed_is_refused(tmp_path):
    path = tmp_path / f"a{os.pathsep}b.py"
    path.write_text(CALM)
    with pytest.raises(UserError, match=f"rename it without '{os.pathsep}'"):
        use_plugins([path])


def test_two_files_cannot_define_one_name(write):
    use_plugins([write(CALM)])
    with pytest.raises(UserError, match=r"there is a remedy 'calm' already, in .*mine\.py"):
        use_plugins([write(CALM, "other.py")])


def test_a_listed_file_that_has_gone_is_said(write):
    path = write(CALM)
    plugins.add_plugins([path])
    path.unlink()
    with pytest.raises(UserError, match="cannot read the plugin"):
        names()


def offered(tmp_path, module):
    """An installed package that offers remedies of a module."""
    (tmp_path / "offering.py").write_text(module)
    info = tmp_path / "offering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[unskew.plugins]\ncalm = offering\n")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._load_packages.cache_clear()
    yield tmp_path
    sys.modules.pop("offering", None)
    plugins._load_packages.cache_clear()


def test_an_installed_package_offers_remedies(packages):
    offered(packages, CALM)
    assert "calm" in names()
    assert len(remedy_sources("calm")["calm"]) == 12


def test_an_installed_package_that_is_broken_is_named(packages):
    offered(packages, "1 / 0\n")
    told = r"installed package offering cannot be loaded \(ZeroDivisionError: division by zero\)"
    with pytest.raises(UserError, match=told):
        names()
