"""When a loss says that going on is a waste."""

from __future__ import annotations

import math
from collections.abc import Sequence

WINDOW = 25
"""Steps whose mean loss is held against the start; one bad batch does not stop a run."""

GROWTH = 10.0
"""Times the starting loss that counts as diverged. Losses that recover peak far below it."""


MEND = "lower the learning rate, or a weight decay out of the ordinary"


class Diverged(Exception):
    """Training has left the rails; the message says at which step and how to mend it."""


def check_losses(losses: Sequence[float], since: int = 0) -> None:
    """Raise `Diverged` if the latest losses are not finite or have grown without measure.

    Parameters
    ----------
    losses: of every step so far.
    since: steps done when what is minimised last changed; losses before are no measure.
    """
    recent = losses[-WINDOW:]
    for offset, loss in enumerate(recent):
        if not math.isfinite(loss):
            step = len(losses) - len(recent) + offset + 1
            raise Diverged(f"the loss became {loss} at step {step}: {MEND}")
    start = losses[since : since + WINDOW]
    if len(losses) - since < 2 * WINDOW:
        return
    first, now = sum(start) / len(start), sum(recent) / len(recent)
    if now > GROWTH * max(first, 0.1):
        raise Diverged(f"the loss grew from {first:.3g} to {now:.3g} by step {len(losses)}: {MEND}")
