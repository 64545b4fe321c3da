"""The classifier's norms are those of the saved weights; what has none is left out."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.report.synthetic import CLASSES, context_of, write_study
from unskew.report.classifier import classifier_norms
from unskew.report.document import Bullets, Picture
from unskew.report.figures.norms import NormsPanel, class_norms
from unskew.report.figures.style import colour, styled
from unskew.report.sections.norms import norms_by_seed, norms_section
from unskew.study.results import load_results


def section_of(context):
    with styled():
        return norms_section(context)


def test_norms_are_of_the_rows(tmp_path):
    weight = np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float32)
    save_file({"classifier.weight": weight}, tmp_path / "model.safetensors")
    assert classifier_norms(tmp_path, 2).tolist() == [5, 2]
    assert classifier_norms(tmp_path, 3) is None
    save_file({"classifier.linear.weight": weight}, tmp_path / "model.safetensors")
    assert classifier_norms(tmp_path, 2) is None
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    assert classifier_norms(tmp_path, 2) is None
    assert classifier_norms(tmp_path / "nowhere", 2) is None


def test_a_real_runs_weights_are_found(finished):
    arm = load_results(finished).arms["wd0"]
    norms = norms_by_seed(arm)
    weight = load_file(arm.runs[1].folder / "model.safetensors")["classifier.weight"]
    assert norms[1] == pytest.approx(np.linalg.norm(weight, axis=1))
    assert norms.keys() == {0, 1}


def test_the_section_draws_the_sweep_and_tells_the_ratio(made_up, tmp_path):
    context = context_of(made_up, tmp_path)
    section = section_of(context)
    (picture,) = [b for b in section.blocks if isinstance(b, Picture)]
    assert "6 seeds" in picture.caption
    (bullets,) = [b for b in section.blocks if isinstance(b, Bullets)]
    norms = np.array(list(norms_by_seed(context.results.arms["wd0"]).values()))
    ratio = np.mean(norms[:, :5].mean(axis=1) / norms[:, 5:].mean(axis=1))
    assert f"mean length is {ratio:.3f} ±" in bullets.items[0]
    assert "at λ = 0 and, to these digits, at no other λ nearer to even" in bullets.items[0]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("nearer", [0.0, 1e-5, 0.1])
def test_a_ratio_that_no_decay_moves_is_not_told_twice(study, tmp_path, nearer, language):
    """Nor one that it moves by less than the digits show."""
    out = write_study(tmp_path / "out", study)
    context = context_of(out, tmp_path, language)
    for name, arm in context.results.arms.items():
        for run in arm.runs.values():
            lengths = np.where(np.arange(CLASSES) < 5, 0.8, 1.0) + nearer * (name == "wd1e-2")
            weight = (np.eye(CLASSES, 16) * lengths[:, None]).astype(np.float32)
            save_file({"classifier.weight": weight}, run.folder / "model.safetensors")
    (bullets,) = [b for b in section_of(context).blocks if isinstance(b, Bullets)]
    told = {"title": "Decay", "baseline": "0", "at_baseline": "0.800 ± 0.000"}
    if nearer > 1e-3:
        even = {"even": "1e-2", "at_even": "0.818 ± 0.000"}
        assert bullets.items == (context.words("norms.ratio", **told, **even),)
    else:
        assert bullets.items == (context.words("norms.ratio_unmoved", **told),)


def test_without_weights_there_is_no_section_and_some_missing_are_no_fault(study, tmp_path):
    out = write_study(tmp_path / "out", study)
    results = load_results(out)
    for run in results.arms["wd1e-3"].runs.values():
        (run.folder / "model.safetensors").unlink()
    (picture,) = [b for b in section_of(context_of(out, tmp_path)).blocks if isinstance(b, Picture)]
    assert "0: 0." in picture.alt
    assert "1e-3" not in picture.alt
    for arm in results.arms.values():
        for run in arm.runs.values():
            (run.folder / "model.safetensors").unlink(missing_ok=True)
    assert section_of(context_of(out, tmp_path)).blocks == ()


def test_groups_are_told_apart_by_colour():
    minority = np.arange(CLASSES) < 3
    norms = np.stack([np.arange(CLASSES) + 1.0, np.full(CLASSES, 2.0)])
    panel = NormsPanel("λ", ["0", "1e-3"], norms, minority)
    with styled():
        figure = class_norms([panel], "few", "others", "length", "λ")
    lines = figure.axes[0].lines
    thick = {
        line.get_color(): line.get_ydata().tolist() for line in lines if line.get_marker() in "os"
    }
    assert thick == {colour(0): [7, 2], colour(1): [2, 2]}
    thin = [line for line in lines if line.get_marker() not in ("o", "s")]
    assert sorted(line.get_ydata()[0] for line in thin) == list(range(1, CLASSES + 1))
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["others", "few"]
    even = NormsPanel("λ", ["0", "1e-3"], norms, np.zeros(CLASSES, bool))
    with styled():
        figure = class_norms([even], "few", "others", "length", "λ")
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["others"]
