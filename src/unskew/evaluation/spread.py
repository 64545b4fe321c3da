"""How much of a result's spread is due to which of two kinds of chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, f

from unskew.evaluation.conventions import CONFIDENCE


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a two-way layout with random rows and columns.

    Attributes
    ----------
    rows, columns: standard deviations of what a row adds to all its figures, and a column to
        its; 0 where the figures differ by less than the rest explains.
    rows_low, rows_high, columns_low, columns_high: intervals of 95 % for these.
    rest: standard deviation of what is left: chance that belongs to no row or column alone.
    rows_p, columns_p: of the F tests that rows, or columns, add nothing; None where these differ
        and nothing is left, which coarse figures do by luck: no test can be made of that.
    """

    rows: float
    rows_low: float
    rows_high: float
    columns: float
    columns_low: float
    columns_high: float
    rest: float
    rows_p: float | None
    columns_p: float | None


def spread(figures: NDArray[np.float64]) -> Spread:
    """Components of variance by the analysis of variance, one figure a cell.

    Model: figure = mean + row + column + rest, all but the mean random and independent (Searle,
    Casella & McCulloch 1992, section 4.5). Intervals are Williams's (1962), whose coverage is
    near the nominal one even for few rows.

    Parameters
    ----------
    figures: float (R, C), R and C at least 2: a row for each subset of the images, say, a column
        for each seed of training.

    Raises
    ------
    ValueError: fewer than two rows or columns.
    """
    rows, columns = figures.shape
    if rows < 2 or columns < 2:
        raise ValueError(f"a spread takes two rows and columns or more, not {rows} and {columns}")
    by_row, by_column = figures.mean(axis=1), figures.mean(axis=0)
    left = figures - by_row[:, None] - by_column[None, :] + figures.mean()
    freedom = (rows - 1) * (columns - 1)
    rounding = (1e-12 * float(np.abs(figures).max())) ** 2

    def exactly(square: float) -> float:
        return square if square > rounding else 0.0

    rest = exactly(float((left**2).sum()) / freedom)
    row_square = exactly(columns * float(by_row.var(ddof=1)))
    column_square = exactly(rows * float(by_column.var(ddof=1)))
    row = _component(row_square, rows - 1, columns, rest, freedom)
    column = _component(column_square, columns - 1, rows, rest, freedom)
    return Spread(*row[:3], *column[:3], rest=math.sqrt(rest), rows_p=row[3], columns_p=column[3])


def _component(
    square: float, own: int, repeats: int, rest: float, freedom: int
) -> tuple[float, float, float, float | None]:
    """(standard deviation, low, high, p) of one factor.

    Parameters
    ----------
    square: its mean square, with `own` degrees of freedom.
    repeats: figures that each of its levels is a mean of.
    rest, freedom: the mean square that remains, and its degrees of freedom.
    """
    if not square:
        return 0.0, 0.0, 0.0, 1.0
    tail = (1 - CONFIDENCE) / 2
    ratio = square / rest if rest else math.inf
    low = 1 - f.isf(tail, own, freedom) / ratio
    high = 1 - f.ppf(tail, own, freedom) / ratio

    def deviation(share: float, divisor: float) -> float:
        return math.sqrt(max(share, 0.0) * square / (repeats * divisor))

    return (
        deviation(1 - 1 / ratio, 1.0),
        deviation(low, chi2.isf(tail, own) / own),
        deviation(high, chi2.ppf(tail, own) / own),
        float(f.sf(ratio, own, freedom)) if rest else None,
    )
