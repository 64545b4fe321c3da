"""A study whose remedies and networks come from files of one's own."""

import csv
import shutil

import pytest

from tests.plugged import CALM, THIN, forgotten  # noqa: F401
from tests.report.synthetic import context_of
from unskew.plugins import use_plugins
from unskew.remedies.registry import remedy_sources
from unskew.report.sections.method import method_section
from unskew.study.execute import execute_study
from unskew.study.results import load_results
from unskew.study.spec import Study

pytestmark = pytest.mark.usefixtures("forgotten")

LOUD = (
    CALM
    + """
    def loss(self, facts, epoch):
        import torch
        return lambda logits, labels: 2 * torch.nn.functional.cross_entropy(
            logits, labels, reduction="none")
"""
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(LOUD)
    return path


@pytest.fixture
def study(tiny):
    arms = [{"name": n, "recipe": {"remedy": n}} for n in ("none", "calm", "calm+posthoc_em")]
    return Study.model_validate(
        {"name": "own", "data": tiny.data, "seeds": 1, "recipe": tiny.recipe, "arms": arms}
    )


def told(out):
    with (out / "results.csv").open(newline="") as file:
        return {row["arms"]: row["run"] for row in csv.DictReader(file)}


def method(out, tmp_path):
    """What a report says of how its study was done."""
    return " ".join(method_section(context_of(out, tmp_path)).blocks[0].items)


def run_whole(study, data, out):
    assert execute_study(study, data, out) == {}
    return told(out)


def test_its_runs_are_trained_by_other_processes_and_told_without_the_file(
    study, data, path, tmp_path, monkeypatch, request
):
    use_plugins([path])
    out = tmp_path / "out"
    run_whole(study, data, out)
    digest = remedy_sources("calm")["calm"]
    results = load_results(out)
    assert results.study.remedy_sources == {"calm": digest}
    losses = {n: arm.runs[0].history.losses for n, arm in results.arms.items()}
    assert losses["calm"] != losses["none"]
    assert losses["calm"] == losses["calm+posthoc_em"]
    assert results.arms["calm+posthoc_em"].runs[0].outcome.trained_by
    path.unlink()
    monkeypatch.undo()  # nothing is known of it any more
    assert f"calm (digest of the file {digest})" in method(out, tmp_path)


def test_a_changed_file_makes_other_runs_of_its_arms_alone(
    study, data, path, tmp_path, monkeypatch
):
    use_plugins([path])
    before = run_whole(study, data, tmp_path / "out")
    monkeypatch.setattr("unskew.plugins._modules", {})
    path.write_text(LOUD.replace("2 *", "3 *"))
    use_plugins([path])
    after = run_whole(study, data, tmp_path / "out")
    assert [name for name in before if before[name] != after[name]] == ["calm", "calm+posthoc_em"]


def test_a_file_that_changes_meanwhile_fails_its_runs_alone(study, data, path, tmp_path):
    use_plugins([path])
    path.write_text(LOUD.replace("2 *", "3 *"))  # after this process has read it
    failures = execute_study(study, data, tmp_path / "out")
    assert len(failures) == 2
    for message in failures.values():
        assert message.startswith("the file that defines remedy 'calm' has changed since the run ")
    assert told(tmp_path / "out").keys() == {"none"}


def test_the_study_of_a_folder_can_be_run_again_from_its_own_file(study, data, path, tmp_path):
    use_plugins([path])
    out = tmp_path / "out"
    before = run_whole(study, data, out)
    again = Study.load(str(shutil.copy(out / "study.toml", tmp_path / "again.toml")))
    assert again.remedy_sources == remedy_sources("calm")
    assert run_whole(again, data, out) == before


def test_a_network_of_ones_own_is_trained_described_and_told(
    tiny, data, tmp_path, monkeypatch, path
):
    thin = tmp_path / "thin.py"
    thin.write_text(THIN)
    use_plugins([thin, path])
    arms = [
        {"name": "{model}-{remedy}", "grid": {"model": ["cnn", "thin"], "remedy": ["none", "calm"]}}
    ]
    study = Study.model_validate(
        {"name": "own", "data": tiny.data, "seeds": 1, "recipe": {"max_steps": 3}, "arms": arms}
    )
    out = tmp_path / "out"
    before = run_whole(study, data, out)
    results = load_results(out)
    sources = results.study.model_sources | results.study.remedy_sources
    assert sources.keys() == {"thin", "calm"}
    assert results.models["thin"].description == "The mean colour, and a layer."
    assert [layer.parameters for layer in results.models["thin"].layers][-1] == 8 * 4 + 4
    thin.write_text(THIN.replace("width: int = 8", "width: int = 9"))
    monkeypatch.setattr("unskew.plugins._modules", {})
    use_plugins([thin, path])
    after = run_whole(study, data, out)
    assert [n for n in before if before[n] != after[n]] == ["thin-none", "thin-calm"]
    monkeypatch.undo()
    told = method(out, tmp_path)
    for name, digest in load_results(out).study.model_sources.items():
        assert f"{name} (digest of the file {digest})" in told
