"""What a step costs: peak memory above the weights, and FLOPs in forward passes."""

from __future__ import annotations

from itertools import pairwise

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
    groups, places = _groups(data), _places(data.trained)
    height = 0.35 + len(groups) * (0.35 + 0.175 * (max(places, default=0) + 1))
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = figure.subplots(
        len(groups), len(QUANTITIES), squeeze=False, sharex="col", sharey=True,
        gridspec_kw={"wspace": 0.08},
    )  # fmt: skip
    for panels, (title, costs) in zip(grid, groups, strict=True):
        for axes, key in zip(panels, QUANTITIES, strict=True):
            _bars(axes, data.trained, places, costs, key)
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


def _places(rows: list[Row]) -> list[float]:
    """Where the bars stand, from above: evenly, with a gap between families."""
    changes = [a.family != b.family for a, b in pairwise(rows)]
    return [index + 0.5 * sum(changes[:index]) for index in range(len(rows))]


def _bars(axes: Axes, rows: list[Row], places: list[float], costs: pd.DataFrame, key: str) -> None:
    scale = QUANTITIES[key][1]
    for place, row, cost in zip(places, rows, costs[key], strict=True):
        value = float(cost) * scale
        style = look(row)
        known = np.isfinite(value)
        if known:
            axes.hlines(place, 0, value, color=style.color, linewidth=3.2, zorder=2)
            axes.plot(
                value, place, marker=style.marker, markersize=5, color=style.color,
                markerfacecolor=style.face, markeredgecolor=style.dark, markeredgewidth=0.7,
                zorder=3,
            )  # fmt: skip
        axes.annotate(
            f"{value:#.3g}".rstrip(".") if known else "not known: no step was taken",
            (value if known else 0, place), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=7.5,
        )  # fmt: skip
    axes.set_yticks(places, [row.label for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(max(places, default=0) + 0.6, -0.6)
    axes.margins(x=0.16)  # for the number at the longest bar
    axes.set_xlim(left=0)
