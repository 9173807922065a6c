"""Slopes as they are: a dot for each directional derivative, and the range of most of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from gradcost.figures.style import Look
from gradcost.results.statistics import running_quantiles
from gradcost.results.tidy import Column, Row, Tidy

LEVELS = (0.05, 0.95)
RASTER = 20_000  # more dots than this are pixels in a vector file
CROWD = 2_000  # more dots than this are smaller and fainter
FAR = 30.0  # times the usual range: from here on a linear axis shows nothing else


def slopes(data: Tidy, column: Column, row: Row, name: str = "projections") -> pd.DataFrame:
    """All finite slopes of all runs, completed or not: `seed`, `step` and `value`, by step."""
    history = data.curves(column, row, completed=False).dropna(subset=[name])
    values = [np.asarray(of_step, dtype=float) for of_step in history[name]]
    return _points(history, values)


def differences(data: Tidy, column: Column, row: Row) -> pd.DataFrame:
    """The same of a slope at the parameters minus that at SVRG's snapshot, along a direction."""
    history = data.curves(column, row, completed=False).dropna(subset=["snapshot_projections"])
    pairs = zip(history["projections"], history["snapshot_projections"], strict=True)
    return _points(history, [np.asarray(here) - np.asarray(there) for here, there in pairs])


def _points(history: pd.DataFrame, values: Sequence[np.ndarray]) -> pd.DataFrame:
    counts = [value.size for value in values]
    found = pd.DataFrame(
        {
            "seed": np.repeat(history["seed"].to_numpy(), counts),
            "step": np.repeat(history["step"].to_numpy(), counts),
            "value": np.concatenate([*values, np.empty(0)]),
        }
    )
    finite: pd.DataFrame = found[np.isfinite(found["value"])]
    return finite.sort_values("step", kind="stable")


def scatter(
    axes: Axes, points: pd.DataFrame, style: Look, width: int, crosses: Iterable[int] = ()
) -> None:
    """Draw slopes over steps, and the running range of most of them over `width` steps.

    Args:
        crosses: seeds whose last slope gets a cross.
    """
    size, alpha = (4.5, 0.75) if len(points) < CROWD else (2.5, 0.35)
    axes.scatter(
        points["step"], points["value"], s=size, color=style.dark, linewidth=0, alpha=alpha,
        rasterized=len(points) > RASTER, zorder=2,
    )  # fmt: skip
    ranges = running_quantiles(points["step"], points["value"], width, LEVELS)
    for level in LEVELS:
        axes.plot(ranges.index, ranges[level], color="black", linewidth=0.9, zorder=3)
    for seed in crosses:
        last = points[points["seed"] == seed].tail(1)
        axes.plot(
            last["step"], last["value"], marker="x", markersize=5, markeredgewidth=1.3,
            color=style.dark, linestyle="none", clip_on=False, zorder=5,
        )  # fmt: skip
    axes.set_xlim(left=0)


def what(points: Iterable[pd.DataFrame], width: int) -> str:
    """What the note says of dots and lines."""
    seeds = sorted({one["seed"].nunique() for one in points} - {0})
    if not seeds:
        return "no run completed"
    count = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    low, high = (f"{100 * level:g}" for level in LEVELS)
    return (
        f"dots: every slope of {count} seed{'' if seeds[-1] == 1 else 's'}; "
        f"lines: {low} and {high}% of those within {width} steps"
    )


def scale_y(axes: Axes, points: Iterable[pd.DataFrame]) -> None:
    """Let the axis be logarithmic far from zero, if some slopes are far from all others."""
    linear = _linear(points)
    if linear is None:
        return
    axes.set_yscale("symlog", linthresh=linear)
    first = np.ceil(np.log10(linear))
    decades = np.log10(np.abs(axes.get_ylim()).max()) - first
    powers = 10.0 ** np.arange(first, first + decades + 1, max(1, np.ceil(decades / 2)))
    axes.set_yticks([*-powers[::-1], 0, *powers])
    axes.set_yticks([], minor=True)


def far_text(points: Iterable[pd.DataFrame]) -> str:
    """What the note says of such an axis."""
    linear = _linear(points)
    return "" if linear is None else f"logarithmic beyond {linear:.2g}"


def _linear(points: Iterable[pd.DataFrame]) -> float | None:
    """Up to where the axis is linear; None if it is throughout."""
    sizes = np.concatenate([*(one["value"].abs() for one in points), np.empty(0)])
    usual = float(np.quantile(sizes, LEVELS[1])) if sizes.size else 0.0
    return usual if 0 < FAR * usual < sizes.max(initial=0.0) else None
