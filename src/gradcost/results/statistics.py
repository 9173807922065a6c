"""Statistics over seeds: means with intervals, paired differences, steady states, targets.

And over the steps of a run: running medians and quantiles of what is noise step by step.

All functions are pure and unit-free: accuracies come in and go out as shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95
LAST = 3  # evaluations that make up a steady state
WINDOWS = 20  # of a running statistic, in the longest run that it is compared with


@dataclass(frozen=True)
class Summary:
    """Mean over `n` seeds; the standard deviation and the interval need at least two."""

    mean: float
    sd: float | None
    half_width: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval, or None for a single seed."""
        if self.half_width is None:
            return None
        return self.mean - self.half_width, self.mean + self.half_width

    @property
    def sign(self) -> int | None:
        """+1 or -1 where the interval excludes 0; 0 where it holds it; None without one."""
        if self.interval is None:
            return None
        low, high = self.interval
        return int(low > 0) - int(high < 0)


def summarise(values: Sequence[float] | pd.Series[float]) -> Summary | None:
    """Mean, sample standard deviation and Student-t interval; None for no values.

    Raises:
        ValueError: for a value that is not finite: leaving a run out is the caller's
            decision, and one to show.
    """
    array = np.asarray(values, dtype=float)
    if array.size == 0:
        return None
    if not np.isfinite(array).all():
        raise ValueError(f"cannot summarise values that are not finite: {array.tolist()}")
    n, mean = array.size, float(array.mean())
    if n == 1:
        return Summary(mean, None, None, 1)
    sd = float(array.std(ddof=1))
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return Summary(mean, sd, quantile * sd / n**0.5, n)


def paired(left: pd.Series[float], right: pd.Series[float]) -> Summary | None:
    """`left` minus `right`, both by seed, over the seeds that both have."""
    seeds = left.index.intersection(right.index)
    return summarise(left.loc[seeds] - right.loc[seeds])


def steady_state(accuracy: pd.Series[float], last: int = LAST) -> float:
    """Mean of the last evaluations of a run (of all, if there are fewer); NaN if none.

    Steps without an evaluation are NaN in `accuracy` and do not count.
    """
    values = accuracy.dropna().to_numpy(dtype=float)
    return float(values[-last:].mean()) if values.size else float("nan")


def first_reach(history: pd.DataFrame, target: float) -> pd.Series[float]:
    """What a run had spent at its first evaluation of at least `target`; NaN if it had none.

    Args:
        history: one run, with the columns of `gradcost.study.record.HISTORY`, by step.
        target: validation accuracy, a share.

    Returns:
        `step`, `forward_equivalents` and `training_seconds`.
    """
    columns = ["step", "forward_equivalents", "training_seconds"]
    reached = history.loc[history["validation_accuracy"] >= target, columns]
    if reached.empty:
        return pd.Series(float("nan"), index=columns)
    return reached.iloc[0].astype(float)


def median_of_reached(values: Sequence[float] | pd.Series[float]) -> float:
    """The median where NaN stands for 'never' and so for more than all else; NaN if that wins.

    Unlike the mean over the runs that arrived, it does not flatter a method that seldom does.
    """
    array = np.sort(np.where(np.isnan(values), np.inf, np.asarray(values, dtype=float)))
    if array.size == 0:
        return float("nan")
    middle = float(array[(array.size - 1) // 2 : array.size // 2 + 1].mean())
    return middle if np.isfinite(middle) else float("nan")


def window(steps: int) -> int:
    """Over how many steps a running statistic goes, if the longest run has `steps`."""
    return max(5, steps // WINDOWS)


def running_median(values: pd.Series[float], width: int) -> pd.Series[float]:
    """The median of `width` values around each; NaN where they are not all there.

    So it begins and ends half a window within the series. One of fewer values than `width`
    has the median of what is there.
    """
    needed = width if len(values) >= width else 1
    return values.rolling(width, center=True, min_periods=needed).median()


def running_quantiles(
    at: Sequence[float] | pd.Series[float],
    values: Sequence[float] | pd.Series[float],
    width: float,
    levels: Sequence[float],
    points: int = 150,
) -> pd.DataFrame:
    """Quantiles of all values that lie within half a `width` of each of some points.

    Args:
        at: where each value lies, such as its step, in any order; several may lie together,
            as those of several seeds and directions do.
        points: at most how many, evenly spread from the first half window to the last.

    Returns:
        A row for each point, which is the index, and a column for each of `levels`.
    """
    order = np.argsort(at, kind="stable")
    places, sorted_values = np.asarray(at, dtype=float)[order], np.asarray(values, float)[order]
    if places.size == 0:
        return pd.DataFrame(columns=list(levels), dtype=float)
    low, high = places[0] + width / 2, places[-1] - width / 2
    middle = (places[0] + places[-1]) / 2
    centres = np.linspace(low, high, points) if low < high else np.array([middle])
    starts = np.searchsorted(places, centres - width / 2, side="left")
    stops = np.searchsorted(places, centres + width / 2, side="right")
    rows = {
        centre: np.quantile(sorted_values[start:stop], levels)
        for centre, start, stop in zip(centres, starts, stops, strict=True)
        if start < stop
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(levels))
