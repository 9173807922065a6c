"""What a step costs: peak memory above the weights, and FLOPs in forward passes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradcost.figures.style import WIDTH, look, styled
from gradcost.results import compare
from gradcost.results.tidy import Column, Row, Tidy

QUANTITIES = {
    "activation_bytes": ("peak memory above the weights [MB]", 1e-6),
    "forward_equivalents": ("FLOPs of a step / FLOPs of a forward pass", 1.0),
}


@styled
def draw(data: Tidy) -> Figure:
    """Counted, hence without interval; tasks that agree within one percent share a panel."""
    groups = _groups(data)
    height = 0.35 + sum(0.35 + 0.19 * len(data.trained) for _ in groups)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = figure.subplots(len(groups), len(QUANTITIES), squeeze=False, sharex="col", sharey=True)
    for panels, (title, costs) in zip(grid, groups, strict=True):
        for axes, key in zip(panels, QUANTITIES, strict=True):
            _bars(axes, data.trained, costs, key)
        panels[0].set_title(title, loc="left")
    for axes, (label, _) in zip(grid[-1], QUANTITIES.values(), strict=True):
        axes.set_xlabel(label)
    return figure


def _groups(data: Tidy) -> list[tuple[str, pd.DataFrame]]:
    """Columns with the same costs, together: (labels, costs by row number)."""
    groups: list[tuple[list[Column], pd.DataFrame]] = []
    for column in data.columns:
        costs = pd.DataFrame([compare.cost(data, column, row) for row in data.trained])
        costs = costs[list(QUANTITIES)]
        for columns, known in groups:
            if np.allclose(costs, known, rtol=0.01, equal_nan=True):
                columns.append(column)
                break
        else:
            groups.append(([column], costs))
    return [(", ".join(c.label for c in columns), costs) for columns, costs in groups]


def _bars(axes: Axes, rows: list[Row], costs: pd.DataFrame, key: str) -> None:
    scale = QUANTITIES[key][1]
    for place, row in enumerate(rows):
        value = float(costs[key].iloc[place]) * scale
        style = look(row)
        known = np.isfinite(value)
        if known:
            axes.hlines(place, 0, value, color=style.color, linewidth=3.2, zorder=2)
            axes.plot(
                value, place, marker=style.marker, markersize=5, color=style.color,
                markeredgecolor=style.dark, markeredgewidth=0.7, zorder=3,
            )  # fmt: skip
        axes.annotate(
            f"{value:#.3g}".rstrip(".") if known else "not known: no step was taken",
            (value if known else 0, place), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=7.5,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.margins(x=0.14)
