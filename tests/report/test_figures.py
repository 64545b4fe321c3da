"""What is drawn is what the numbers say."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from tests.report.synthetic import context_of
from unskew.evaluation.significance import mean_interval
from unskew.models.layer_row import LayerRow
from unskew.report.compared import compare
from unskew.report.figures import style
from unskew.report.figures.classes import class_accuracy, group_gap
from unskew.report.figures.counts import class_counts
from unskew.report.figures.curves import thinned, training_curves
from unskew.report.figures.differences import forest
from unskew.report.figures.network import network_diagram, stages
from unskew.report.figures.overview import overview
from unskew.report.figures.samples import sample_grid
from unskew.report.figures.style import styled
from unskew.report.sections.comparisons import pair_forest


def layer(kind, *shape):
    return LayerRow("x", kind, shape, parameters=0, multiply_adds=0)


def test_thinned_keeps_the_mean_and_short_runs():
    losses = list(np.linspace(3, 1, 1000))
    assert len(thinned(losses)) == 100
    assert thinned(losses).mean() == pytest.approx(np.mean(losses))
    assert thinned([2.0, 1.0]).tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("epochs", "ticks"),
    [(1, [1]), (5, [1, 2, 3, 4, 5]), (200, [0, 25, 50, 75, 100, 125, 150, 175, 200])],
)
def test_epochs_are_whole_numbers(epochs, ticks):
    history = SimpleNamespace(
        losses=[1.0] * 3, epochs=[SimpleNamespace(test_accuracy=0.5)] * epochs
    )
    run = SimpleNamespace(evaluation=True, history=history)
    with styled():
        figure = training_curves({"one": SimpleNamespace(runs={0: run})}, "loss", "right", "epoch")
        axis = figure.axes[1].xaxis
        low, high = axis.get_view_interval()
        assert [tick for tick in axis.get_majorticklocs() if low <= tick <= high] == ticks


def test_layers_without_a_block_are_told_with_the_one_before():
    layers = [layer("Conv2d 3×3", 8, 4, 4), layer("BatchNorm2d", 8, 4, 4), layer("ReLU", 8, 4, 4),
              layer("Flatten", 128), layer("Linear", 10)]  # fmt: skip
    assert stages(layers) == [("Conv2d 3×3 BN ReLU", (8, 4, 4)), ("Linear", (10,))]


def test_marks_at_the_ends_of_a_scale_are_drawn_whole():
    perfect = mean_interval([1.0])
    arms = {"all right": SimpleNamespace(evaluations=[SimpleNamespace(class_accuracy=(1.0, 0.0))])}
    for figure in (
        class_accuracy(["a", "b"], arms, [9, 1], "accuracy"),
        group_gap({"all right": (perfect, perfect)}, "few", "many", "accuracy"),
    ):
        marked = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", None)]
        assert marked
        assert not any(line.get_clip_on() for line in marked)


LONG = "a label of so many words that there is no room for it but in three lines, number {}"


def long_overview(context):
    arm = context.results.arms["full"]
    return overview({LONG.format(k): arm for k in range(28)}, "accuracy", {}, "accuracy", "")


def long_gap(context):
    one = mean_interval([0.5])
    groups = {LONG.format(k): (one, one) for k in range(28)}
    return group_gap(groups, "few", "many", "accuracy")


@pytest.mark.parametrize("draw", [long_overview, long_gap])
def test_labels_of_several_lines_are_not_drawn_over_each_other(made_up, tmp_path, draw):
    with styled():
        figure = draw(context_of(made_up, tmp_path))
        figure.draw_without_rendering()
    labels = figure.axes[0].get_yticklabels()
    assert all(label.get_text().count("\n") == 2 for label in labels)
    boxes = [label.get_window_extent() for label in labels]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))


def test_a_label_that_begins_with_an_underscore_stands_in_the_legend():
    arms = {
        label: SimpleNamespace(evaluations=[SimpleNamespace(class_accuracy=(0.5, 0.2))])
        for label in ("_mine", "yours")
    }
    (legend,) = class_accuracy(["a", "b"], arms, [9, 1], "accuracy").legends
    shown = [text.get_text().lstrip("\N{ZERO WIDTH SPACE}") for text in legend.get_texts()]
    assert shown == ["_mine", "yours"]


def test_a_long_network_draws_equal_neighbours_once():
    layers = [layer("Conv2d 3×3", 16, 8, 8)] * 20 + [layer("Linear", 10)]
    assert stages(layers) == [("20 × Conv2d 3×3", (16, 8, 8)), ("Linear", (10,))]
    figure = network_diagram(layers, [8, 8, 3], "image")
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert labels[0] == "3×8×8"
    assert "image" in labels


def test_a_network_of_many_kinds_goes_on_in_the_next_row():
    layers = [layer("Linear", width) for width in range(20, 5, -1)]
    assert len(network_diagram(layers, [8, 8, 3], "image").axes) == 2


def test_forest_tells_intervals_that_hold_zero_apart():
    clear, open_ = mean_interval([0.1, 0.11, 0.12]), mean_interval([-0.1, 0.1, 0.02])
    figure = forest({"a": (clear, [0.1]), "b": (open_, [0.1])}, "points")
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert [line.get_color() for line in diamonds] == [style.colour(0), style.colour(6)]
    assert diamonds[0].get_xdata()[0] == pytest.approx(11)


def test_counts_are_written_on_their_bars_and_outlined_for_many_classes():
    few = class_counts(["a", "b"], {"full": [5000, 500]})
    assert [text.get_text() for text in few.axes[0].texts] == ["5,000", "500"]
    many = class_counts([str(k) for k in range(100)], {"full": list(range(100))})
    assert not many.axes[0].texts
    assert many.get_figheight() < 4


def test_sample_tiles_follow_the_share_and_are_at_least_one():
    images = np.full((3, 8, 4, 4, 3), 200, dtype=np.uint8)
    counts = {"full": [100, 100, 100], "skewed": [100, 50, 1]}
    figure = sample_grid(["a", "b", "c"], {"full": images, "skewed": images}, counts)
    mosaic = figure.axes[1].images[0].get_array()
    tiles = [int(mosaic[row * 6 : row * 6 + 4, :, 3].sum() / 255 / 16) for row in range(3)]
    assert tiles == [8, 4, 1]


def test_a_label_does_not_break_within_a_setting():
    lines = style.wrapped("CNN, skewed data, logits adjusted, λ = 1e-3", 40).split("\n")
    assert lines == ["CNN, skewed data, logits adjusted,", "λ = 1e-3"]


def test_labels_are_wrapped_by_the_room_they_take():
    assert style.wrapped("CNN, skewed data, λ = 1e-3") == "CNN, skewed data, λ = 1e-3"
    assert max(map(len, style.wrapped("word " * 20).splitlines())) <= 36
    assert max(map(len, style.wrapped("图" * 40).splitlines())) <= 18


def test_an_inline_figure_takes_its_colours_from_the_page(tmp_path):
    with style.styled():
        figure = style.new_figure(2, width=style.WIDTH / 2)
        ax = figure.subplots()
        ax.plot([1, 2], color=style.colour(1), label="<b>")
        ax.legend()
        inline = style.save(figure, tmp_path, "plot")
    assert "var(--c1)" in inline
    assert "var(--ink)" in inline
    assert not any(tint in inline for tint in (*style.PALETTE, style.INK, style.FAINT))
    assert "max-width: 50%" in inline
    assert "<style" not in inline
    root = ET.fromstring(inline)
    assert "&lt;b&gt;" in inline
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    # Alone, the file keeps its own colours and size.
    assert style.PALETTE[1] in (tmp_path / "plot.svg").read_text("utf-8")


def test_one_baseline_stands_at_the_axis_and_several_in_the_labels(made_up, tmp_path):
    context = context_of(made_up, tmp_path)
    _, decay, _ = context.results.study.expanded_comparisons()
    pairs = compare(context.results, decay)
    with styled():
        (shared,) = pair_forest(context, pairs).axes
        (told,) = pair_forest(context, [pairs[0], replace(pairs[1], baseline="full")]).axes
    assert [t.get_text() for t in shared.get_yticklabels()] == ["λ = 1e-3", "λ = 1e-2"]
    assert shared.get_xlabel().endswith("\nfrom “λ = 0”")
    assert told.get_yticklabels()[1].get_text() == "λ = 1e-2\n− full"
    assert "from" not in told.get_xlabel()
