"""A run divided into features and classifier."""

from __future__ import annotations

from unskew.errors import UserError
from unskew.remedies.base import Remedy, Stage


def two_stages(
    name: str,
    epochs: int,
    share: float,
    *,
    second: str,
    remedy: Remedy,
    reset_classifier: bool = False,
    weight_decay: float | None = None,
) -> tuple[Stage, Stage]:
    """The whole network for most of the epochs, then the classifier alone.

    Parameters
    ----------
    name: of the remedy, for the message.
    epochs: of the whole run; both stages together take no more.
    share: of the epochs for the second stage, rounded, one at least.
    second: name of the second stage.
    remedy, reset_classifier, weight_decay: of the second stage, as in `Stage`.

    Raises
    ------
    UserError: too few epochs for two stages.
    """
    if epochs < 2:
        raise UserError(
            f"remedy {name!r} trains in two stages and epochs is {epochs}: choose 2 or more"
        )
    last = min(max(round(epochs * share), 1), epochs - 1)
    return (
        Stage("features", epochs - last),
        Stage(
            second,
            last,
            classifier_only=True,
            reset_classifier=reset_classifier,
            remedy=remedy,
            weight_decay=weight_decay,
        ),
    )
