"""Figures as text, the same everywhere."""

from __future__ import annotations

from unskew.evaluation.significance import Interval, mean_interval
from unskew.study.text import short_number

SHARES = ("accuracy", "macro_f1", "auroc")
"""How the names of shares end; an area under a ROC curve is the share of pairs in order."""


def is_share(metric: str) -> bool:
    """Whether a metric lies in [0, 1], so that differences are told in percentage points."""
    return metric.endswith(SHARES)


def share(value: float) -> str:
    """A share or loss, or a difference of two, with three decimals."""
    return f"{value:.3f}".replace("-", "−")


def points(value: float, metric: str = "accuracy") -> str:
    """A difference: percentage points for shares, plain otherwise; with its sign."""
    shown = f"{value * 100:+.1f}" if is_share(metric) else f"{value:+.3f}"
    if not shown.strip("+-0."):
        return shown[1:]
    return shown.replace("-", "−")


def unsigned(value: float, metric: str = "accuracy") -> str:
    """The size of a difference, without its sign."""
    return points(abs(value), metric).lstrip("+")


def p_value(p: float | None) -> str:
    """A p value with as many digits as mean something."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_phrase(p: float | None) -> str:
    """ "p = 0.031" or "p < 0.001"."""
    shown = p_value(p)
    return f"p < {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


def bound_phrase(p: float) -> str:
    """ "p = 0.031" or "p = 0.00049", of a value that others cannot fall below."""
    return p_phrase(p) if p >= 0.001 else f"p = {p:.2g}"


def over_seeds(figures: dict[int, float]) -> Interval | None:
    """Mean and interval of a figure over seeds; None where there is none."""
    return mean_interval(list(figures.values())) if figures else None


def mean_and_half(interval: Interval | None) -> str:
    """ "0.612 ± 0.010", the half-width of the 95 % interval; the mean alone for one seed."""
    if interval is None:
        return "–"
    if interval.high is None:
        return share(interval.mean)
    return f"{share(interval.mean)} ± {share(interval.high - interval.mean)}"


def brackets(interval: Interval | None) -> str:
    """ "0.602 to 0.622"; a dash where there is no interval."""
    if interval is None or interval.low is None or interval.high is None:
        return "–"
    return f"{share(interval.low)} – {share(interval.high)}"


def setting(value: object) -> str:
    """A recipe's value as people write it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return short_number(value)


def duration(seconds: float) -> str:
    """ "1 h 12 min", "3 min 5 s" or "8 s"."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
