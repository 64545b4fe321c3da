import numpy as np
import pytest

from unskew.remedies.auto import choose
from unskew.remedies.registry import make_remedy


@pytest.mark.parametrize(
    ("counts", "spec", "words"),
    [
        ([500] * 10, "none", ["nearly even", "500"]),
        ([150, 100], "none", ["150", "100"]),
        ([151, 100], "balanced_softmax", ["1.51 to 1", "151", "100"]),
        ([5000] * 5 + [500] * 5, "balanced_softmax", ["10 to 1", "5000", "500"]),
        ([300, 1], "balanced_softmax", ["300 to 1"]),
        ([300, 20, 0], "balanced_softmax", ["15 to 1", "1 class has no training image"]),
        ([30, 30, 0, 0], "none", ["2 classes have no training image"]),
        ([30, 0], "none", ["fewer than two classes", "1 class has no"]),
        ([0, 0], "none", ["fewer than two classes", "2 classes have no"]),
    ],
)
def test_the_choice_and_its_reason(counts, spec, words):
    found, reason = choose(np.array(counts))
    assert found == spec
    make_remedy(found)
    assert all(word in reason for word in words)
    assert reason.endswith(".")
