"""What figures of learning curves share: a method's curve, and the floor below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.notes import band_text, note, unfinished
from gradcost.figures.sheet import lowest, nothing, panels, sheet
from gradcost.figures.style import GREY, Line, Look, by_family, log_x, log_y, plain
from gradcost.results import compare
from gradcost.results.statistics import running_median, window
from gradcost.results.tidy import Column, Row, Tidy

MAJORITY = "level dashes: majority class"  # in the note: in a panel, curves may be in its way
TIME = "training time [s]"
STRATEGIES = ("vanilla", "checkpointing", "multiple")  # that tell the families apart


def curve(axes: Axes, runs: pd.DataFrame, style: Look, x: str, *, band: bool = True) -> None:
    """Validation accuracy in percent: mean over seeds, and a band from lowest to highest.

    Args:
        runs: histories, as from `Tidy.curves`.
        x: the column to draw against. All but `step` are for logarithmic axes, so the
            evaluation before the first step is left out.
    """
    evaluated = runs.dropna(subset=["validation_accuracy"])
    if x != "step":
        evaluated = evaluated[evaluated["step"] > 0]
    evaluated = evaluated.assign(percent=100 * evaluated["validation_accuracy"])
    _mean(axes, evaluated, style, x, "percent", band=band)


def _mean(axes: Axes, runs: pd.DataFrame, style: Look, x: str, y: str, *, band: bool) -> None:
    if runs.empty:
        return
    by_step = runs.groupby("step")
    at, values = by_step[x].mean(), by_step[y].agg(["mean", "min", "max"])
    if band:
        axes.fill_between(
            at, values["min"], values["max"], color=style.color, alpha=0.16, linewidth=0,
            zorder=style.zorder - 1,
        )  # fmt: skip
    axes.plot(
        at, values["mean"], color=style.color, linestyle=style.linestyle, zorder=style.zorder,
        markevery=[-1], markersize=4.5, **style.mark,
    )  # fmt: skip


def majority(axes: Axes, data: Tidy, column: Column) -> None:
    """A line at the share of the largest class, in the panel's scale."""
    share = compare.majority(data, column, "validation")
    if share is None:
        return
    axes.axhline(share, color=GREY, linewidth=0.6, linestyle=(0, (6, 2)), zorder=1)
    # auto: another panel that shares the axis may have yet to be drawn
    axes.set_ylim(bottom=min(axes.get_ylim()[0], share - 3), auto=None)


def accuracy_text(data: Tidy, rows: Sequence[Row]) -> str:
    """What a note says of panels of accuracy."""
    band = band_text(data, rows)
    known = any(compare.majority(data, column, "validation") for column in data.columns)
    return f"{band}; {MAJORITY}" if known and band != "no run completed" else band


def accuracy(axes: Axes, data: Tidy, column: Column, lines: Sequence[Line], x: str) -> None:
    """A panel of validation accuracy, with the majority class and runs that ended early.

    Args:
        x: `step`, from 0, or another column of the history, on a logarithmic axis.
    """
    for row, style in lines:
        curve(axes, data.curves(column, row), style, x)
        for _, run in unfinished(data, column, row, "validation_accuracy").groupby("seed"):
            _ended(axes, run[x], 100 * run["validation_accuracy"], style)
    if not axes.lines:
        nothing(axes)
        return
    majority(axes, data, column)
    _scale_x(axes, x)


def running(
    axes: Axes, data: Tidy, column: Column, lines: Sequence[Line], x: str, y: str, width: int
) -> None:
    """A panel of a value of every step, such as the loss: see `running_values`."""
    running_values(axes, data, column, [(row, style, y) for row, style in lines], x, width)


def running_values(
    axes: Axes,
    data: Tidy,
    column: Column,
    lines: Sequence[tuple[Row, Look, str]],
    x: str,
    width: int,
) -> None:
    """A panel of running medians over `width` steps, averaged over seeds, with their range.

    The y axis is logarithmic. A run that ended early is shown up to ten times beyond the range
    of those that completed: what it diverges to would leave no room for them.

    Args:
        lines: with the column of the history that each shows, which is positive.
    """
    shown: list[float] = []
    for row, style, y in lines:
        runs = smoothed(data.curves(column, row), y, width)
        _mean(axes, runs, style, x, y, band=True)
        shown += [runs[y].min(), runs[y].max()] if len(runs) else []
    low, high = (min(shown) / 10, 10 * max(shown)) if shown else (0.0, np.inf)
    for row, style, y in lines:
        ended = smoothed(unfinished(data, column, row, y), y, width)
        for _, run in ended.groupby("seed"):
            _ended(axes, run[x], run[y].clip(low, high), style)
    if not axes.lines:
        nothing(axes)
        return
    log_y(axes)
    _scale_x(axes, x)


def smoothed(runs: pd.DataFrame, y: str, width: int) -> pd.DataFrame:
    """Running medians of `y` over `width` steps, of each seed, four to a window.

    Of gradients only those count that an update takes: where they accumulate, a window has
    fewer.
    """
    found = []
    for _, run in runs.groupby("seed"):
        updated = run["updates"].diff().fillna(run["updates"]) > 0
        values = run[updated] if y.startswith("gradient") else run
        values = values[np.isfinite(values[y].astype(float)) & (values["step"] > 0)]
        if values.empty:
            continue
        apart = (values["step"].max() - values["step"].min()) / max(1, len(values) - 1)
        inside = max(1, round(width / apart)) if apart else 1
        values = values.assign(**{y: running_median(values[y].astype(float), inside)})
        found.append(values.dropna(subset=[y]).iloc[:: max(1, inside // 4)])
    return pd.concat(found) if found else runs.iloc[:0]


def _ended(axes: Axes, x: pd.Series[float], y: pd.Series[float], style: Look) -> None:
    """A run that ended early, thin, up to a cross."""
    axes.plot(x, y, color=style.color, linestyle=style.linestyle, linewidth=0.7, alpha=0.8,
              zorder=style.zorder)  # fmt: skip
    axes.plot(
        x.tail(1), y.tail(1), marker="x", markersize=5, markeredgewidth=1.3, color=style.dark,
        linestyle="none", clip_on=False, zorder=5,
    )  # fmt: skip


def _scale_x(axes: Axes, x: str) -> None:
    if x == "step":
        axes.set_xlim(left=0)
    else:
        log_x(axes)


def by_time(data: Tidy, lines: Sequence[Line], legend: Sequence[Sequence[Line]]) -> Figure:
    """A panel of accuracy against training time for each task or model."""
    rows = [row for row, _ in lines]
    text = note(data, rows, accuracy_text(data, rows))
    figure, places = panels(len(data.columns), legend=legend, note=text)
    for axes, column in zip(places, data.columns, strict=True):
        accuracy(axes, data, column, lines, "training_seconds")
        axes.set_title(column.label, loc="left")
        first = axes.get_subplotspec().is_first_col()  # type: ignore[union-attr]
        axes.set_ylabel("validation accuracy [%]" if first else "")
    for axes in lowest(places):
        axes.set_xlabel(TIME)
    return figure


def running_by_time(data: Tidy, y: str, label: str) -> Figure:
    """A panel of a running median against training time for each task or model."""
    rows = [row for row in data.trained if row.strategy in STRATEGIES] or data.trained
    width = running_width(data)
    text = note(data, rows, band_text(data, rows), running_text(width), value=y)
    legend = [plain(family) for family in by_family(rows)]
    figure, places = panels(len(data.columns), legend=legend, note=text)
    for axes, column in zip(places, data.columns, strict=True):
        running(axes, data, column, plain(rows), "training_seconds", y, width)
        axes.set_title(column.label, loc="left")
        axes.set_ylabel(label if axes.get_subplotspec().is_first_col() else "")  # type: ignore[union-attr]
    for axes in lowest(places):
        axes.set_xlabel(TIME)
    return figure


def running_width(data: Tidy) -> int:
    """Over how many steps running statistics go: the same for all runs of an experiment."""
    steps = data.history["step"].max()
    return window(int(steps) if steps == steps else 0)


def running_text(width: int) -> str:
    """What a note says of smoothing."""
    return f"running medians over {width} steps"


def by_steps_and_time(
    data: Tidy, groups: Sequence[tuple[str, Sequence[Line]]], legend: Sequence[Sequence[Line]]
) -> Figure:
    """Two panels for each task and group of methods: against iterations, and against time.

    Args:
        groups: with a title each, which may be empty.
    """
    rows = list(dict.fromkeys(row for _, lines in groups for row, _ in lines))
    text = note(data, rows, accuracy_text(data, rows))
    places = [(column, *group) for column in data.columns for group in groups]
    figure, grid = sheet(
        len(places), 2, height=1.7, legend=legend, note=text, sharex="col", sharey="row"
    )  # fmt: skip
    for (steps, time), (column, title, lines) in zip(grid, places, strict=True):
        accuracy(steps, data, column, lines, "step")
        accuracy(time, data, column, lines, "training_seconds")
        steps.set_title(", ".join(filter(None, (title, column.label))), loc="left")
        steps.set_ylabel("validation accuracy [%]")
    grid[-1, 0].set_xlabel("iterations")
    grid[-1, 1].set_xlabel(TIME)
    return figure


def relabelled(rows: Sequence[Row], labels: Sequence[str]) -> list[Row]:
    """The same rows under other labels."""
    return [replace(row, label=label) for row, label in zip(rows, labels, strict=True)]
