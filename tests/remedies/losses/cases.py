"""Random problems for losses, and the arithmetic they are checked with: no PyTorch in it."""

import math

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from tests.remedies.scene import make_facts
from unskew.remedies.registry import make_remedy

examined = settings(max_examples=60, deadline=None, derandomize=True)

COUNTS = (500, 60, 7, 1)


@st.composite
def problems(draw, present=True):
    """(facts, logits (B, K), labels (B,)) with 2 to 6 classes, float64 and int64.

    Labels name classes that have images; other classes may have none unless `present`.
    """
    num_classes = draw(st.integers(2, 6))
    size = st.integers(1 if present else 0, 5000)
    counts = draw(st.lists(size, min_size=num_classes, max_size=num_classes))
    counts[0] = max(counts[0], 1)
    number = st.floats(-30, 30, allow_subnormal=False)
    logits = draw(
        st.lists(
            st.lists(number, min_size=num_classes, max_size=num_classes), min_size=1, max_size=4
        )
    )
    some = [k for k in range(num_classes) if counts[k]]
    labels = [draw(st.sampled_from(some)) for _ in logits]
    return make_facts(counts), np.array(logits), np.array(labels)


def losses(name, facts, logits, labels, epoch=0, **options):
    """What a remedy's loss gives, float64 (B,)."""
    loss = make_remedy(name, {name: options}).loss(facts, epoch)
    return loss(torch.from_numpy(logits), torch.from_numpy(labels)).numpy()


def log_softmax(row):
    """Of one example's logits, a list of floats, in the plainest way that does not overflow."""
    top = max(row)
    total = math.fsum(math.exp(z - top) for z in row)
    return [z - top - math.log(total) for z in row]


def cross_entropy(logits, labels):
    """float64 (B,)."""
    return np.array([-log_softmax(list(row))[y] for row, y in zip(logits, labels, strict=True)])


def slopes_are_right(name, epoch=0, **options):
    """Whether the gradient of a loss is that of finite differences."""
    facts = make_facts(COUNTS)
    loss = make_remedy(name, {name: options}).loss(facts, epoch)
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(0, 2, (6, 4))).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 0, 3])
    return torch.autograd.gradcheck(lambda z: loss(z, labels), logits)
