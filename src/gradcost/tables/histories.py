"""What tables say of the course of runs: how large slopes and gradients are, and their ratios.

Slopes are directional derivatives along the step's directions (the paper's `jvp`, and the
projected gradient of zeroth order), as they were computed. A run that ended early counts with
the steps that it took: what it says of stability is in them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from gradcost.results.statistics import Summary, summarise
from gradcost.results.tidy import Column, Row, Tidy
from gradcost.tables import grid, latex

# Of each run of a cell, by seed.
Measure = Callable[[Tidy, Column, Row], "pd.Series[float]"]


def slopes(data: Tidy, column: Column, row: Row, key: str = "projections") -> pd.Series[float]:
    """The absolute slopes of all steps and directions, one a line, by seed; finite ones."""
    curves = data.curves(column, row, completed=False)
    values = curves.set_index("seed")[key].dropna().explode().dropna().astype(float).abs()
    return values[np.isfinite(values)]


def median_slope(data: Tidy, column: Column, row: Row) -> pd.Series[float]:
    """The median absolute slope of each run."""
    return slopes(data, column, row).groupby(level="seed").median()


def largest_slope(data: Tidy, column: Column, row: Row) -> pd.Series[float]:
    """The largest absolute slope of each run."""
    return slopes(data, column, row).groupby(level="seed").max()


def gradient_variance(data: Tidy, column: Column, row: Row) -> pd.Series[float]:
    """The variance over steps of the mean absolute component of the estimate, for each run."""
    curves = data.curves(column, row, completed=False)
    values = curves.set_index("seed")["gradient_mean"].dropna().astype(float)
    return values[np.isfinite(values)].groupby(level="seed").var().dropna()


def _median(measure: Measure) -> grid.Cell:
    """The median over runs."""

    def cell(data: Tidy, column: Column, row: Row) -> str:
        values = measure(data, column, row)
        return latex.DASH if values.empty else latex.significant(float(values.median()), 2)

    return cell


MEDIAN = grid.Entry("median", _median(median_slope), "absolute slope")
LARGEST = grid.Entry("largest", _median(largest_slope), "absolute slope")


def ratio(left: pd.Series[float], right: pd.Series[float]) -> Summary | None:
    """The logarithm of `left` over `right`, by seed, over the seeds in which both are positive."""
    seeds = left.index.intersection(right.index)
    pairs = pd.DataFrame({"left": left.loc[seeds], "right": right.loc[seeds]})
    pairs = pairs[(pairs > 0).all(axis=1)]
    return summarise((pairs["left"] / pairs["right"]).map(np.log))


def times(summary: Summary | None, *, prose: bool = False) -> str:
    """A geometric mean ratio and its interval, LaTeX; in a table bold where that excludes one."""
    if summary is None:
        return latex.DASH
    text, interval = factor(summary)
    if summary.sign and not prose:
        text = rf"\textbf{{{text}}}"
    if not interval:
        return f"{text} (a single seed)" if prose else text
    return f"{text} {interval}"


def factor(summary: Summary) -> tuple[str, str]:
    """A geometric mean ratio, and its interval in brackets; of a single seed nothing."""
    mean, *ends = (
        latex.significant(float(np.exp(value)), 2)
        for value in (summary.mean, *(summary.interval or ()))
    )
    return mean, f"[{', '.join(ends)}]" if ends else ""
