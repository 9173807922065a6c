"""Validation accuracy against iterations, against computation and against time."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.style import GREY, WIDTH, legend, log_x, look, seeds_text, styled
from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy

X = {
    "step": "iterations",
    "forward_equivalents": "forward-equivalents",
    "training_seconds": "training time [s]",
}


@styled
def draw(data: Tidy) -> Figure:
    """One row of panels per task; line: mean over seeds, band: lowest to highest seed.

    Only completed runs are drawn. The second and third columns are logarithmic and leave
    out the evaluation before the first step.
    """
    figure = Figure(figsize=(WIDTH, 0.75 + 1.85 * len(data.columns)), layout="constrained")
    grid = figure.subplots(len(data.columns), len(X), squeeze=False, sharex="col", sharey="row")
    for panels, column in zip(grid, data.columns, strict=True):
        for axes, x in zip(panels, X, strict=True):
            for row in data.trained:
                _curve(axes, data.curves(column, row), row, x)
            _majority(axes, data, column, label=x == "step")
        panels[0].set_ylabel(f"{column.label}\nvalidation accuracy [%]")
    for axes, (x, label) in zip(grid[-1], X.items(), strict=True):
        axes.set_xlabel(label)
        if x != "step":
            log_x(axes)
        else:
            axes.set_xlim(left=0)
    legend(figure, data.trained)
    figure.supxlabel(
        f"line: mean of {seeds_text(data)}; band: lowest to highest seed",
        fontsize=7.5, color=GREY,
    )  # fmt: skip
    return figure


def _curve(axes: Axes, runs: pd.DataFrame, row: Row, x: str) -> None:
    evaluated = runs.dropna(subset=["validation_accuracy"])
    if x != "step":
        evaluated = evaluated[evaluated["step"] > 0]
    if evaluated.empty:
        return
    by_step = evaluated.groupby("step")
    at = by_step[x].mean()
    accuracy = 100 * by_step["validation_accuracy"].agg(["mean", "min", "max"])
    style = look(row)
    axes.fill_between(
        at, accuracy["min"], accuracy["max"], color=style.color, alpha=0.16, linewidth=0,
        zorder=style.zorder - 1,
    )  # fmt: skip
    axes.plot(
        at, accuracy["mean"], color=style.color, linestyle=style.linestyle, zorder=style.zorder,
        marker=style.marker, markevery=[-1], markersize=4, markeredgecolor=style.dark,
        markeredgewidth=0.7,
    )  # fmt: skip


def _majority(axes: Axes, data: Tidy, column: Column, *, label: bool) -> None:
    share = compare.majority(data, column, "validation")
    if share is None:
        return
    axes.axhline(share, color=GREY, linewidth=0.6, linestyle=(0, (6, 2)), zorder=1)
    axes.set_ylim(bottom=min(axes.get_ylim()[0], share - 3))
    if label:
        axes.annotate(
            "majority class", (1, share), xycoords=("axes fraction", "data"), xytext=(-2, 2),
            textcoords="offset points", ha="right", fontsize=7, color=GREY,
        )  # fmt: skip
