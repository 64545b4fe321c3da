"""Sections on classes, priors and probabilities say what each run's evaluation says."""

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from tests.report.synthetic import context_of, write_study
from unskew.evaluation.calibration import negative_log_likelihood
from unskew.report.document import Bullets, Paragraph, Picture, Table
from unskew.report.figures.style import styled
from unskew.report.sections.calibration import calibration_section
from unskew.report.sections.classes import classes_section, confusion_section
from unskew.report.sections.priors import priors_section
from unskew.study.spec import Study


@pytest.fixture
def context(made_up, tmp_path):
    return context_of(made_up, tmp_path)


def blocks(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def row(table, label):
    return next(r for r in table.rows if r[0] == label)[1:]


def mean_of(context, arm, figure):
    return f"{fmean(figure(e) for e in context.results.arms[arm].evaluations):.3f}"


def test_accuracy_under_each_prior_is_weighted_recall(context):
    with styled():
        section = priors_section(context)
    (table,) = blocks(section, Table)
    assert [r[0] for r in table.rows] == ["λ = 0", "λ = 1e-3", "λ = 1e-2"]  # full data has none
    cells = [cell.split(" ±")[0] for cell in row(table, "λ = 0")]
    rare, frequent = 1 / 55, 10 / 55  # five classes keep a tenth

    def under(first, last):
        prior = np.array([first] * 5 + [last] * 5)
        return mean_of(context, "wd0", lambda e: float(prior @ e.class_accuracy))

    assert cells[:3] == [under(rare, frequent), under(0.1, 0.1), under(frequent, rare)]
    # The synthetic test images are balanced, so the loss under equal shares is plain NLL.
    assert cells[4] == mean_of(context, "wd0", lambda e: e.nll)
    assert float(cells[3]) < float(cells[4]) < float(cells[5])


def test_the_leader_under_each_prior_is_named_and_drawn(context):
    with styled():
        section = priors_section(context)
    (bullets,), (picture,) = blocks(section, Bullets), blocks(section, Picture)
    (said,) = bullets.items
    assert "highest mean of 3 arms" in said
    arms = ("wd0", "wd1e-3", "wd1e-2")
    best = max(fmean(context.results.arms[n].metric("balanced_accuracy").values()) for n in arms)
    assert "equal shares: λ = " in said
    assert f"({best:.3f})" in said
    assert "λ = 0: " in picture.alt


def test_where_logits_are_not_kept_the_loss_is_left_open(context):
    run = context.results.arms["wd0"].runs[3]
    gone = replace(run, folder=run.folder / "nowhere")
    runs = {**context.results.arms["wd0"].runs, 3: gone}
    context.results.arms["wd0"] = replace(context.results.arms["wd0"], runs=runs)
    with styled():
        (table,) = blocks(priors_section(context), Table)
    assert "–" not in row(table, "λ = 0")[:3]
    assert row(table, "λ = 0")[3:] == ("–", "–", "–")
    assert "–" not in row(table, "λ = 1e-3")


def test_logits_of_a_run_are_those_of_its_evaluation(context):
    run = context.results.arms["full"].runs[0]
    logits, labels = run.logits()
    found = negative_log_likelihood(logits.astype(np.float64), labels)
    assert found == pytest.approx(run.evaluation.nll, abs=1e-5)


def test_probabilities_are_told_for_every_arm(context):
    (table,) = blocks(calibration_section(context), Table)
    assert len(table.rows) == 4
    shown = [cell.split(" ±")[0] for cell in row(table, "full")]
    figures = ("nll", "brier", "ece", "classwise_ece", "mean_auroc")
    assert shown == [mean_of(context, "full", lambda e, f=f: getattr(e, f)) for f in figures]
    assert "15 equal bins" in table.caption


def test_recall_precision_and_shots(context):
    with styled():
        recall, precision, shots = blocks(classes_section(context), Table)
    arm = context.results.arms["wd0"]
    assert row(recall, "λ = 0")[0] == f"{fmean(e.class_accuracy[0] for e in arm.evaluations):.2f}"
    assert row(precision, "λ = 0")[9] == f"{fmean(e.precision[9] for e in arm.evaluations):.2f}"
    # 100 and 10 images a class: medium-shot and few-shot.
    many, medium, few = (cell.split(" ±")[0] for cell in row(shots, "λ = 0"))
    assert many == "–"
    assert medium == mean_of(context, "wd0", lambda e: fmean(e.class_accuracy[5:]))
    assert few == mean_of(context, "wd0", lambda e: fmean(e.class_accuracy[:5]))
    assert "more than 100 training images" in shots.caption


def test_where_every_class_is_many_shot_that_is_said(context):
    for name, arm in context.results.arms.items():
        runs = {
            seed: replace(
                run,
                evaluation=replace(
                    run.evaluation, many_accuracy=0.5, medium_accuracy=None, few_accuracy=None
                ),
            )
            for seed, run in arm.runs.items()
        }
        context.results.arms[name] = replace(arm, runs=runs)
    with styled():
        section = classes_section(context)
    assert len(blocks(section, Table)) == 2
    (paragraph,) = blocks(section, Paragraph)
    assert "every class here is many-shot" in paragraph.text


MANY_ARMS = """
name = "many"
seeds = 2
recipe.epochs = 1
[[arms]]
name = "none-wd1e-3"
recipe.weight_decay = 1e-3
[[arms]]
name = "{remedy}"
grid = { remedy = ["none", "focal", "drw", "mixup", "crt", "ldam"] }
[[comparisons]]
baseline = "none"
candidates = ["none-wd1e-3", "focal", "drw", "mixup", "crt", "ldam"]
"""
GAIN = {"focal": 0.2, "drw": 1.5, "mixup": 0.4, "crt": 1.8, "ldam": 1.2}


def test_of_many_arms_the_baseline_and_the_best_are_shown(tmp_path):
    study = Study.from_toml(MANY_ARMS, "many.toml")
    out = write_study(
        tmp_path / "out", study, strength=lambda run: 1 + GAIN.get(run.recipe.remedy, 0.0)
    )
    context = context_of(out, tmp_path)
    with styled():
        sections = [classes_section(context), confusion_section(context)]
    for section in sections:
        picture = blocks(section, Picture)[0]
        assert picture.alt.endswith("of none, drw, crt, ldam.")
        assert "arms 4 are shown" in picture.caption


def test_of_few_arms_all_are_shown_and_nothing_is_said_of_a_choice(context):
    with styled():
        picture = blocks(classes_section(context), Picture)[0]
    assert picture.alt.endswith("of full, λ = 0, λ = 1e-3, λ = 1e-2.")
    assert "are shown" not in picture.caption
