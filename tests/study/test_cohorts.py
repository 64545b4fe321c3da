"""A study whose runs train together gives what it gives when they train one by one."""

import pytest

from unskew.study.cohorts import join
from unskew.study.execute import execute_study
from unskew.study.plan import plan
from unskew.study.results import load_results
from unskew.training.replicas.execute import Job, execute_together
from unskew.training.replicas.replicas import Replicas


def test_the_first_run_takes_its_kin_with_it(tiny):
    runs = plan(tiny, 3, "ab")
    cohort = join(runs, 64)
    assert cohort[0] is runs[0]
    fields = [run.recipe.model_dump(exclude={"seed", "weight_decay"}) for run in cohort]
    assert len(cohort) > 1
    assert all(own == fields[0] for own in fields)
    assert len({run.recipe.digest for run in cohort}) == len(cohort)
    assert len(join(runs, 2)) == 2
    assert join(runs, 1) == runs[:1]
    assert join([], 64) == []


def test_arms_whose_losses_differ_go_together(tiny):
    arms = plan(tiny, 2, "ab"), plan(tiny.override(recipe={"remedy": "balanced_softmax"}), 2, "ab")
    runs = [run for of_arm in arms for run in of_arm]
    assert {run.recipe.remedy for run in join(runs, 64)} == {"none", "balanced_softmax"}


def test_a_run_of_a_lone_remedy_goes_alone(tiny):
    runs = plan(tiny.override(recipe={"remedy": "sam"}), 3, "ab")
    assert join(runs, 64) == runs[:1]


def test_a_study_in_cohorts_agrees_with_one_run_by_run(finished, tiny, tmp_path, data):
    study = tiny.override(seeds=2)
    assert execute_study(study, data, tmp_path / "out", workers=1, replicas=8) == {}
    alone, together = load_results(finished), load_results(tmp_path / "out")
    assert together.missing == 0
    for name, arm in alone.arms.items():
        for seed, run in arm.runs.items():
            other = together.arms[name].runs[seed]
            assert "runs at once" in other.outcome.kernels
            assert run.outcome.mean == other.outcome.mean
            assert run.figure("accuracy") == pytest.approx(other.figure("accuracy"), abs=0.1)
    assert not list((tmp_path / "out").rglob("checkpoint*"))


def test_killed_between_epochs_a_cohort_goes_on(tiny, tmp_path, data, monkeypatch):
    planned = plan(tiny, 2, data.fingerprint)
    recipes = [run.recipe.with_(max_steps=None) for run in join(planned, 64)]
    jobs = [Job(recipe, tmp_path / recipe.run_id) for recipe in recipes]
    whole = [Job(recipe, tmp_path / "whole" / recipe.run_id) for recipe in recipes]
    predict, calls = Replicas._predict, []

    def killed_in_the_second_epoch(self, batches):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return predict(self, batches)

    with monkeypatch.context() as patch:
        patch.setattr(Replicas, "_predict", killed_in_the_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            execute_together(jobs, data)
    assert all((job.folder / "checkpoint.safetensors").exists() for job in jobs)
    assert not any((job.folder / "run.json").exists() for job in jobs)
    done = execute_together(jobs, data)
    execute_together(whole, data)
    for a, b in zip(jobs, whole, strict=True):
        for name in ("losses.csv", "evaluation.json", "model.safetensors"):
            assert (a.folder / name).read_bytes() == (b.folder / name).read_bytes()
    assert [outcome.outcome for outcome in done] == ["finished"] * len(jobs)
    assert execute_together(jobs, data) == done
