"""Every study that comes with the package, from its file to its report, on the images of digits."""

import csv

import pytest

from unskew.data.sources import open_data
from unskew.report.write import write_report
from unskew.study.execute import execute_study
from unskew.study.results import load_results
from unskew.study.spec import Study, shipped_studies

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", shipped_studies())
def test_it_runs_to_its_report_and_leaves_nothing_out(name, tmp_path):
    study = Study.load(name).override(
        data="digits", seeds=1, fresh_seeds=1, recipe={"epochs": 2, "max_steps": 16}
    )
    failures = execute_study(study, open_data("digits"), tmp_path / "out", workers=2)
    assert not failures
    results = load_results(tmp_path / "out")
    assert not results.missing
    assert all(not stage.missing for stage in results.second_stages)
    assert len(results.second_stages) == len(study.confirmations)
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8", newline="") as file:
        named = {name for row in csv.DictReader(file) for name in row["arms"].split("; ")}
    assert named == set(results.arms)
    for language in ("en", "zh"):
        assert write_report(tmp_path / "out", "html", language).stat().st_size > 100_000
