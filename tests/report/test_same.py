"""Arms that predict the same are said to; what merely looks alike is not."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.report.synthetic import context_of, write_study
from unskew.report.document import Bullets
from unskew.report.figures.style import styled
from unskew.report.same import same_arms
from unskew.report.sections.results import results_section
from unskew.study.results import load_results
from unskew.study.spec import Study
from unskew.training.outcome import load_evaluation

TEXT = """
name = "twins"
seeds = 2
recipe.epochs = 1
[[arms]]
name = "{remedy}"
grid = { remedy = ["none", "balanced_softmax", "logit_adjustment", "focal"] }
"""


@pytest.fixture
def out(tmp_path):
    return write_study(tmp_path / "out", Study.from_toml(TEXT, "twins.toml"))


def give(out, source, target, change=lambda logits: logits):
    """An arm's answers become those of another, changed."""
    results = load_results(out)
    for seed, run in results.arms[target].runs.items():
        twin = results.arms[source].runs[seed].folder
        tensors = load_file(twin / "logits.safetensors")
        tensors["logits"] = change(tensors["logits"])
        save_file(tensors, run.folder / "logits.safetensors")
        text = (twin / "evaluation.json").read_text()
        if change(np.ones(1))[0] != 1:
            nll = load_evaluation(twin).nll
            text = text.replace(f'"nll": {nll}', f'"nll": {nll + 0.5}')
        (run.folder / "evaluation.json").write_text(text)


def test_one_loss_under_two_names(out, tmp_path):
    assert same_arms(load_results(out)) == []
    give(out, "balanced_softmax", "logit_adjustment")
    (same,) = same_arms(load_results(out))
    assert same.arms == ("balanced_softmax", "logit_adjustment")
    assert (same.seeds, same.probabilities) == (2, True)
    context = context_of(out, tmp_path)
    with styled():
        section = results_section(context)
    (bullets,) = [b for b in section.blocks if isinstance(b, Bullets)]
    assert bullets.items[0].startswith("“balanced_softmax” and “logit_adjustment” predict the same")
    assert "one and the same here" in bullets.items[0]


def test_where_only_the_probabilities_differ_that_is_said(out, tmp_path):
    give(out, "none", "focal", lambda logits: logits * 2)
    (same,) = same_arms(load_results(out))
    assert same.arms == ("none", "focal")
    assert not same.probabilities
    context = context_of(out, tmp_path, "zh")
    with styled():
        section = results_section(context)
    (bullets,) = [b for b in section.blocks if isinstance(b, Bullets)]
    assert "只有概率不同" in bullets.items[0]


def test_one_confusion_matrix_is_not_yet_the_same_answers(out):
    def swapped(logits):
        # Images 0 and 1 are of one class; their answers change places.
        moved = logits.copy()
        if logits.ndim == 2:
            answers = logits.argmax(axis=1)
            other = int(np.flatnonzero(answers[:50] != answers[0])[0])
            moved[[0, other]] = logits[[other, 0]]
        return moved

    give(out, "none", "focal", swapped)
    results = load_results(out)
    a, b = (results.arms[n].evaluations[0].confusion for n in ("none", "focal"))
    assert a == b
    assert same_arms(results) == []


def test_without_logits_nothing_is_claimed(out):
    give(out, "none", "focal")
    for run in load_results(out).arms["focal"].runs.values():
        (run.folder / "logits.safetensors").unlink()
    assert same_arms(load_results(out)) == []
