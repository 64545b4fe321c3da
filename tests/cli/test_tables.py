"""Tables say what the evaluation says, bad news included."""

from rich.console import Console

from unskew.cli.tables import evaluation_table
from unskew.evaluation.evaluation import evaluate_logits


def text_of(labels):
    logits = [[2.0, 0.0, 0.0]] * len(labels)
    evaluation = evaluate_logits(
        logits, labels, class_names=("cat", "dog", "lynx"), train_counts=[90, 40, 5]
    )
    console = Console(width=200)
    with console.capture() as capture:
        console.print(evaluation_table(evaluation, "none"))
    return capture.get()


def test_a_rare_class_that_is_never_found_is_said():
    text = text_of([0] * 8 + [1] * 4 + [2] * 2)
    assert "minority accuracy 0.000" in text
    assert "worst class 0.000" in text
    (lynx,) = [line for line in text.splitlines() if "lynx" in line]
    assert [cell.strip() for cell in lynx.split("│")[1:-1]] == [
        "lynx", "5", "2", "0.000", "0.00–0.66", "0.000", "0.000",
    ]  # fmt: skip


def test_a_class_without_test_images_has_no_figures():
    (lynx,) = [line for line in text_of([0, 1]).splitlines() if "lynx" in line]
    cells = [cell.strip() for cell in lynx.split("│")[1:-1]]
    assert cells[:5] == ["lynx", "5", "0", "", ""]
