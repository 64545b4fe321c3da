"""Whether a published claim can be held against anything that a study measures."""

from __future__ import annotations

import math

from unskew.errors import UserError
from unskew.study.outline import Outline, matches
from unskew.study.parts import Claim


def check_claims(study: Outline) -> None:
    """A claim that could be neither right nor wrong is a slip of the file's."""
    choices = [selection.name for selection in study.expanded_selections()]
    for claim in study.published.claims if study.published else []:
        fault = _fault(claim, choices)
        if fault is not None:
            text = next(iter(claim.text.values()), "")
            raise UserError(f"the claim {text!r} {fault}")


def _fault(claim: Claim, choices: list[str]) -> str | None:
    """Why a claim cannot be held against anything, and the mend; None if it can."""
    bounded = claim.low is not None or claim.high is not None
    if any(bound is not None and math.isnan(bound) for bound in (claim.low, claim.high)):
        return "has a bound that is no number: give it one"
    if claim.low is not None and claim.high is not None and claim.low > claim.high:
        return f"lies between {claim.low:g} and {claim.high:g}: exchange low and high"
    if claim.selection is not None:
        if claim.arm is not None or claim.than is not None:
            return "is about a selection, and about an arm too: leave one out"
        if not any(matches(name, claim.selection) for name in choices):
            known = ", ".join(choices) or "none"
            return f"names the selection {claim.selection!r}, but the selections are {known}"
        if bounded and claim.value is not None:
            return "has a value and bounds, and only one of them can be held: leave out the other"
        if not bounded and claim.value is None:
            return "holds whatever is measured: give it a value, a low or a high"
        return None
    if claim.arm is None:
        return "is about nothing: name a selection or an arm"
    if claim.metric is None:
        return f"says no figure of arm {claim.arm!r}: give it a metric"
    if not bounded:
        return "holds whatever is measured: give it a low or a high"
    if claim.value is not None:
        return "has a value, and of an arm's figure only bounds can be held: leave it out"
    return None
