"""What figures of learning curves share: a method's curve, and the floor below it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from gradcost.figures.style import GREY, Look
from gradcost.results import compare
from gradcost.results.tidy import Column, Tidy


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
    if evaluated.empty:
        return
    by_step = evaluated.groupby("step")
    at = by_step[x].mean()
    accuracy = 100 * by_step["validation_accuracy"].agg(["mean", "min", "max"])
    if band:
        axes.fill_between(
            at, accuracy["min"], accuracy["max"], color=style.color, alpha=0.16, linewidth=0,
            zorder=style.zorder - 1,
        )  # fmt: skip
    axes.plot(
        at, accuracy["mean"], color=style.color, linestyle=style.linestyle, zorder=style.zorder,
        marker=style.marker, markevery=[-1], markersize=4, markerfacecolor=style.face,
        markeredgecolor=style.dark, markeredgewidth=0.7,
    )  # fmt: skip


def majority(axes: Axes, data: Tidy, column: Column, *, label: bool) -> None:
    """A line at the share of the largest class, in the panel's scale."""
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
